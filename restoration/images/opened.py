"""A file that is opened: known by its first bytes, bounded by its header, whole or not, a still picture or many."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from restoration.errors import BadPicture
from restoration.images import apng, bounds, decoding, heif, jpeg, metadata, pages, png, tiff
from restoration.images.formats import FORMATS, recognise
from restoration.images.remarks import remark
from restoration.picture import Picture

FLOATS = 40
"""Bytes that a pixel of a frame takes: as libvips has it, as floats, on a canvas, and beside the last one."""


@dataclass(frozen=True)
class Timing:
    """How long each frame is shown, in milliseconds, and how often all are, 0 for ever."""

    delays: tuple[int, ...]
    loop: int = 0


class Unreadable(BadPicture):
    """A file that is none of our formats, or of a kind that libvips does not know; a plugin may."""


class Pictures:
    """The pictures of a file, one or many: pages of a TIFF file, or frames of an animation, which have a `timing`."""

    timing: Timing | None = None
    what = "pages"

    def __init__(self, name: str, picture: Picture | None = None) -> None:
        """`picture` is the only one of a file, where a plugin decoded it."""
        self.name, self.picture, self.count = name, picture, 1

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Picture]:
        """Decode them one by one. Raises `BadPicture`."""
        if self.picture is not None:
            yield self.picture

    def only(self) -> Picture:
        """Return the picture of a file that holds one. Raises `BadPicture` if it holds more."""
        if len(self) > 1:
            raise BadPicture(f"{self.name} holds {len(self)} {self.what}; `restore run` restores each of them")
        return next(iter(self))


class Opened(Pictures):
    """The pictures of a file that libvips decodes.

    A `damaged` file is taken as far as it goes, which is said; without that it is refused. Raises `BadPicture` for what
    is none of our formats, damaged, or too large.
    """

    def __init__(self, data: bytes, name: str, *, damaged: bool = False) -> None:
        super().__init__(name)
        form = recognise(data)
        if form is None or not form.readable:
            known = ", ".join(one.name for one in FORMATS if one.readable)
            what = "is not a picture that can be read" if form is None else f"is {form.name}, which cannot be read here"
            raise Unreadable(f"{name} {what} ({known})")
        self.data, self.form, self.damaged = data, form, damaged
        self.fail_on = "none" if damaged else decoding.STRICT.get(form.name, "error")
        self.faults: list[str] = []
        self.pages: list[pages.Page] = []
        self.animation: apng.Animation | None = None
        kinds = {"PNG": self._open_png, "JPEG": self._open_jpeg, "TIFF": self._open_tiff, "GIF": self._open_gif}
        kinds.get(form.name, self._open_frames)()

    def __iter__(self) -> Iterator[Picture]:
        """Decode them one by one. Raises `BadPicture`."""
        import pyvips

        try:
            for picture in self._pictures():
                if self.faults and float(picture.pixels.max()) == float(picture.pixels.min()):
                    raise BadPicture(f"{self.name} is damaged, and nothing of it is left: {self.faults[0]}")
                yield picture
        except pyvips.Error as error:
            self._wrong(decoding.reason(error), 0 if self.damaged else 1)

    def _pictures(self) -> Iterator[Picture]:
        if self.animation is not None:
            yield from self._painted(self.animation)
        elif self.timing is not None:
            yield from self._frames()
        elif self.pages:
            yield from map(self._page, self.pages)
        else:
            yield from map(self._still, range(self.count))

    def _wrong(self, fault: str, share: float = 1.0) -> None:
        """Refuse a file for what is wrong with it, or go on and say so, if the user takes damaged ones.

        A file of which next to nothing can be there, as its `share` says, is refused in any case.
        """
        if not self.damaged or share < bounds.LEAST:
            advice = "" if share < bounds.LEAST else "; --damaged takes what there is of it"
            raise BadPicture(f"{self.name} is damaged and cannot be read whole: {fault}{advice}")
        if not self.faults:
            remark(f"{self.name} is damaged ({fault}); what there is of it is used")
        self.faults.append(fault)

    def _open_png(self) -> None:
        self._bound()
        share = png.share(self.data)
        if share < 1:
            self._wrong(bounds.fault(share), share)
        try:
            self.animation = apng.parsed(self.data)
        except ValueError as error:
            self._wrong(str(error))
            self.animation = apng.parsed(self.data, damaged=True)
        if self.animation is not None:
            self.count, self.what = len(self.animation.parts), "frames"
            bounds.check(self.name, self.animation.width, self.animation.height, self.count, FLOATS)
            self.timing = Timing(tuple(part.delay for part in self.animation.parts), self.animation.plays)

    def _open_jpeg(self) -> None:
        self._bound()
        header = jpeg.header(self.data)
        share = jpeg.share(header, self.data)
        if header.scans > jpeg.SCANS:
            raise BadPicture(f"{self.name} has {header.scans} scans, each of which would take the time of a picture")
        if share < 1:
            self._wrong(bounds.fault(share), share)

    def _open_tiff(self) -> None:
        try:
            structure = tiff.Structure(self.data)
            self.pages = pages.pages_of(structure)
        except ValueError as error:
            raise Unreadable(f"{self.name} is damaged and cannot be read whole: {error}") from None
        what = pages.strange(structure, self.pages)
        if what:
            raise Unreadable(f"{self.name} holds {what}, which is no picture yet; save it as RGB or grey")
        self._bound()
        for page in self.pages:
            share, fault = pages.share(page, self.data)
            if fault:
                self._wrong(fault, share)
        self.count = len(self.pages)

    def _open_gif(self) -> None:
        width, height = (int.from_bytes(self.data[place : place + 2], "little") for place in (6, 8))
        bounds.check(self.name, width, height, 1, FLOATS)  # before libvips is asked, which makes room for it at once
        self._open_frames()

    def _open_frames(self) -> None:
        if self.form.name in ("AVIF", "HEIC") and heif.is_film(self.data):
            raise BadPicture(f"{self.name} is a film of {self.form.name}; save its frames as pictures")
        header = self._bound()
        fields = header.get_fields()
        self.count = header.get("n-pages") if "n-pages" in fields else 1
        if self.count > 1 and self.form.animated:
            bounds.check(self.name, header.width, header.height, self.count, FLOATS)
            delays = header.get("delay") if "delay" in fields else []
            loop = header.get("loop") if "loop" in fields else 0
            self.timing, self.what = Timing(tuple((*delays, *[100] * self.count)[: self.count]), loop), "frames"

    def _bound(self) -> Any:
        """Ask libvips for the header, and refuse what would take too much; return the header."""
        header = self._load(self.pages[0].number if self.pages else 0)
        item = {"ushort": 2, "short": 2, "uchar": 1, "char": 1, "double": 8, "dpcomplex": 16}.get(header.format, 4)
        whole = 2 * header.bands if "interlaced" in header.get_fields() and self.form.name == "JPEG" else 0
        needed = 2 * header.bands * item + 4 * min(header.bands, 4) + whole
        bounds.check(self.name, header.width, header.height, 1, needed)
        for page in self.pages[1:]:
            bounds.check(self.name, page.first(256), page.first(257), 1, needed)
        return header

    def _load(self, page: int = 0, **how: bool) -> Any:
        """Open pixels by libvips, without decoding them. Raises `Unreadable`."""
        import pyvips

        try:
            return decoding.load(self.form, self.data, fail_on=self.fail_on, page=page, **how)
        except pyvips.Error as error:
            what = f"is damaged, or a kind of {self.form.name} that is not known here: {decoding.reason(error)}"
            raise Unreadable(f"{self.name} {what}") from None

    def _still(self, number: int, page: pages.Page | None = None) -> Picture:
        """Decode one picture, upright."""
        import pyvips

        header = self._load(number)
        told = metadata.gather(self.form, self.data, header, page)
        turned = "orientation" in header.get_fields() and header.get("orientation") > 1
        image = self._load(number, streamed=False).autorot() if turned else header
        if page is not None and page.has_mere_data and image.bands in (2, 4):
            remark(f"{self.name} has a channel that is no transparency, such as a mask; it was left out")
            image = image.extract_band(0, n=image.bands - 1)
        try:
            return decoding.picture_of(image, self.name, self.form, told)
        except pyvips.Error as error:
            if self.fail_on != "warning" or not re.search(decoding.HARMLESS, str(error)):
                raise
            self.fail_on = "error"
            return self._still(number, page)

    def _page(self, page: pages.Page) -> Picture:
        return self._still(page.number, page)

    def _frames(self) -> Iterator[Picture]:
        """Decode the frames of an animation in their order."""
        roll = self._load(all_pages=True)
        told = metadata.gather(self.form, self.data, roll, None)
        height = roll.height // self.count
        for place in range(self.count):
            yield decoding.picture_of(roll.crop(0, place * height, roll.width, height), self.name, self.form, told)

    def _painted(self, animation: apng.Animation) -> Iterator[Picture]:
        """Decode the parts of an animated PNG, and paint them one over another."""
        told, canvas = metadata.gather(self.form, self.data, self._load(), None), None
        for part in animation.parts:
            image = decoding.load(self.form, animation.file(part), fail_on=self.fail_on)
            pixels = decoding.pixels_of(image if image.hasalpha() else image.addalpha())
            canvas = apng.empty(animation, pixels) if canvas is None else canvas
            shown = apng.painted(canvas, part, pixels)
            canvas = apng.left(canvas, shown, part)
            yield decoding.made(shown, 16 if image.format == "ushort" else 8, self.name, told)
