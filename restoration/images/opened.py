"""A file that is opened: known by its first bytes, bounded by its header, whole or not, a still picture or many."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from restoration.errors import BadPicture
from restoration.images import apng, bounds, colour, decoding, gif, heif, jpeg, metadata, pages, png, tiff, webp
from restoration.images.formats import recognise
from restoration.images.pictures import Pictures, Timing, Unreadable
from restoration.images.remarks import remark
from restoration.images.unreadable import describe_unknown, describe_unreadable
from restoration.picture import Picture

if TYPE_CHECKING:
    from torch import Tensor

FLOATS = 40
"""Bytes that a pixel of a frame takes: as libvips has it, as floats, on a canvas, and beside the last one."""
ADVICE = "; --damaged takes what there is of it"


class Opened(Pictures):
    """The pictures of a file that libvips decodes.

    A `damaged` file is taken as far as it goes, which is said; without that it is refused, with advice unless it is
    None, as for commands that take none. At a `glance` only the head of a file is looked at, for its size. Raises
    `BadPicture` for what is none of our formats, damaged, or too large.
    """

    def __init__(self, data: bytes, name: str, *, damaged: bool | None = None, glance: bool = False) -> None:
        super().__init__(name)
        form = recognise(data)
        if form is None or not form.readable:
            raise Unreadable(f"{name} {describe_unknown(data) if form is None else describe_unreadable(form)}")
        self.data, self.form, self.damaged, self.glance = data, form, bool(damaged), glance
        self.advice = ADVICE if damaged is False else ""
        self.fail_on = decoding.STRICT.get(form.name, "error")
        self.faults: list[str] = []
        self.pages: list[pages.Page] = []
        self.animation: apng.Animation | None = None
        kinds = {"PNG": self._open_png, "JPEG": self._open_jpeg, "TIFF": self._open_tiff, "GIF": self._open_gif}
        kinds.get(form.name, self._open_frames)()

    def __iter__(self) -> Iterator[Picture]:
        """Decode them one by one. Raises `BadPicture`."""
        import pyvips

        told = False
        try:
            for picture in self._pictures():
                if self.faults and self.count == 1 and float(picture.pixels.max()) == float(picture.pixels.min()):
                    raise BadPicture(f"{self.name} is damaged, and nothing of it is left: {self.faults[0]}")
                if self.faults and not told:
                    told = True
                    remark(f"{self.name} is damaged ({self.faults[0]}); what there is of it is used")
                yield picture
        except pyvips.Error as error:
            raise self._error_for(error) from None

    def size(self) -> tuple[int, int]:
        """Return the height and width of the only picture of a file, upright. Raises `BadPicture` if there are more."""
        self.refuse_many()
        image = self.header
        turned = "orientation" in image.get_fields() and image.get("orientation") in (5, 6, 7, 8)
        return (image.width, image.height) if turned else (image.height, image.width)

    def levels(self) -> Tensor:
        """Return the colours of the only picture of a file, rounded to 8 bits: `h w c`, uint8. Raises `BadPicture`."""
        import pyvips

        self.refuse_many()
        page = self.pages[0] if self.pages else None
        try:
            levels: Tensor = self._decoded(decoding.levels_of, page.number if page else 0, page)
            return levels
        except pyvips.Error as error:
            raise self._error_for(error) from None

    def _forgive(self, error: Exception) -> None:
        """Go on with what there is after an error of libvips if the user accepts damaged files, else raise it."""
        if not self.damaged or self.fail_on == "none":
            raise error
        self._note_fault(decoding.reason(error))
        self.fail_on = "none"
        if self.form.name == "PNG":
            self.data = png.mend(self.data)

    def _pictures(self) -> Iterator[Picture]:
        if self.animation is not None:
            yield from self._paint(self.animation)
        elif self.timing is not None:
            yield from self._frames()
        elif self.pages:
            yield from map(self._page, self.pages)
        else:
            yield from map(self._still, range(self.count))

    def _error_for(self, error: Exception) -> BadPicture:
        """Return the error for the user, for one of libvips while it decodes."""
        reason = decoding.reason(error)
        if re.search(decoding.UNKNOWN, str(error)):
            return Unreadable(f"{self.name} is a kind of {self.form.name} not known here: {reason}")
        return BadPicture(f"{self.name} is damaged and cannot be read whole: {reason}{self.advice}")

    def _note_fault(self, fault: str, share: float = 1.0) -> None:
        """Refuse a file for what is wrong with it, or note that and go on if the user accepts damaged files.

        A file of which next to nothing can be there, as its `share` says, is refused in any case.
        """
        if not self.damaged or share < bounds.LEAST:
            advice = "" if share < bounds.LEAST else self.advice
            raise BadPicture(f"{self.name} is damaged and cannot be read whole: {fault}{advice}")
        self.faults.append(fault)

    def _open_png(self) -> None:
        self._bound()
        if self.glance:
            self.animation = apng.parse(self.data, damaged=True)
            return
        share = png.share(self.data)
        if share < 1:
            self._note_fault(bounds.fault(share), share)
        try:
            self.animation = apng.parse(self.data)
        except ValueError as error:
            self._note_fault(str(error))
            self.data = png.mend(self.data)
            self.animation = apng.parse(self.data, damaged=True)
        if self.animation is not None:
            found = self.animation
            self.count, self.what = len(found.parts) + found.cover, "frames"
            bounds.check(self.name, found.width, found.height, self.count, FLOATS, len(self.data))
            self.timing = Timing(tuple(part.delay for part in found.parts), found.plays, found.cover)

    def _open_jpeg(self) -> None:
        self._bound()
        if self.glance:
            return
        header = jpeg.header(self.data)
        share = jpeg.share(header, self.data)
        if header.scans > jpeg.SCANS:
            raise BadPicture(f"{self.name} has {header.scans} scans, each of which would take the time of a picture")
        if share < 1:
            self._note_fault(bounds.fault(share), share)
        if header.views > 1:
            remark(f"{self.name} holds {header.views} views of its subject; only the first is restored")
        if header.has_gain_map:
            remark(f"{self.name} also says how it looks in more light (Ultra HDR); that does not come along")

    def _open_tiff(self) -> None:
        try:
            structure = tiff.Structure(self.data)
            self.pages = pages.pages_of(structure)
            self.data = pages.mend_orientations(self.data, self.pages)
        except ValueError as error:
            raise Unreadable(f"{self.name} is damaged and cannot be read whole: {error}") from None
        what = pages.strange(structure, self.pages)
        if what:
            raise Unreadable(f"{self.name} holds {what}, which is no picture yet; save it as RGB or grey")
        self._bound()
        self.count = len(self.pages)
        for page in self.pages if not self.glance else ():
            share, fault = pages.share(page, self.data)
            if fault:
                self._note_fault(fault, share)

    def _open_gif(self) -> None:
        width, height = (int.from_bytes(self.data[place : place + 2], "little") for place in (6, 8))
        # before libvips opens it, which allocates the whole canvas at once
        bounds.check(self.name, width, height, 1, FLOATS, len(self.data))
        if not self.glance and gif.is_cut(self.data):
            self._note_fault("it is cut off")
        self._open_frames()

    def _open_frames(self) -> None:
        if self.form.loader == "heifload_buffer" and heif.is_film(self.data):
            raise BadPicture(f"{self.name} is a film of {self.form.name}; save its frames as pictures")
        cut = {"webpload_buffer": webp.is_cut, "heifload_buffer": heif.is_cut}.get(self.form.loader)
        if cut is not None and cut(self.data):  # libvips reads no part of such a file
            raise BadPicture(f"{self.name} is damaged and cannot be read whole: it is cut off")
        header = self._bound()
        fields = header.get_fields()
        self.count = header.get("n-pages") if "n-pages" in fields else 1
        if self.count > 1 and self.form.animated:
            bounds.check(self.name, header.width, header.height, self.count, FLOATS, len(self.data))
            delays = header.get("delay") if "delay" in fields else []
            loop = header.get("loop") if "loop" in fields else 0
            self.timing, self.what = Timing(tuple((*delays, *[100] * self.count)[: self.count]), loop), "frames"

    def _bound(self) -> Any:
        """Ask libvips for the header, and refuse what would take too much; return the header."""
        header = self.header = self._load(self.pages[0].number if self.pages else 0)
        item = {"ushort": 2, "short": 2, "uchar": 1, "char": 1, "double": 8, "dpcomplex": 16}.get(header.format, 4)
        whole = 2 * header.bands if "interlaced" in header.get_fields() and self.form.name == "JPEG" else 0
        needed = 2 * header.bands * item + 4 * min(header.bands, 4) + whole
        bounds.check(self.name, header.width, header.height, 1, needed, len(self.data))
        for page in self.pages[1:]:
            bounds.check(self.name, page.first(256), page.first(257), 1, needed, len(self.data))
        return header

    def _load(self, page: int = 0, **how: bool) -> Any:
        """Open pixels by libvips, without decoding them. Raises `Unreadable`."""
        import pyvips

        found = next((one for one in self.pages if one.number == page and pages.small_lab(one)), None)
        data = self.data if found is None else pages.as_rgb(self.data, found)
        try:
            return decoding.load(self.form, data, fail_on=self.fail_on, page=page, **how)
        except pyvips.Error as error:
            if self.damaged and self.fail_on != "none":
                self._forgive(error)
                return self._load(page, **how)
            what = f"is damaged, or a kind of {self.form.name} that is not known here: {decoding.reason(error)}"
            raise Unreadable(f"{self.name} {what}") from None

    def _still(self, number: int, page: pages.Page | None = None) -> Picture:
        """Decode one picture, upright."""
        picture: Picture = self._decoded(decoding.picture_of, number, page)
        return picture

    def _decoded(self, finish: Callable[..., Any], number: int, page: pages.Page | None) -> Any:
        """Decode one picture, upright, and make of it what is asked for."""
        import pyvips

        header = self._load(number)
        told = metadata.gather(self.form, self.data, header, page)
        turned = "orientation" in header.get_fields() and header.get("orientation") > 1
        image = self._load(number, streamed=False).autorot() if turned else header
        if page is not None and pages.small_lab(page):
            image = colour.from_small_lab(image, signed=page.first(262) == pages.LAB)
        if page is not None and page.has_mere_data and image.bands in (2, 4):
            remark(f"{self.name} has a channel that is no transparency, such as a mask; it was left out")
            image = image.extract_band(0, n=image.bands - 1)
        try:
            return finish(image, self.name, self.form, told)
        except pyvips.Error as error:
            if self.fail_on == "warning" and re.search(decoding.HARMLESS, str(error)):
                self.fail_on = "error"
            else:
                self._forgive(error)
            return self._decoded(finish, number, page)

    def _page(self, page: pages.Page) -> Picture:
        return self._still(page.number, page)

    def _frames(self, start: int = 0) -> Iterator[Picture]:
        """Decode the frames of an animation in their order."""
        import pyvips

        roll = self._load(all_pages=True)
        told = metadata.gather(self.form, self.data, roll, None)
        height = roll.height // self.count
        for place in range(start, self.count):
            frame = roll.crop(0, place * height, roll.width, height)
            try:
                picture = decoding.picture_of(frame, self.name, self.form, told)
            except pyvips.Error as error:
                self._forgive(error)
                yield from self._frames(place)
                return
            yield picture

    def _paint(self, animation: apng.Animation) -> Iterator[Picture]:
        """Decode the parts of an animated PNG, and paint them one over another."""
        told, canvas = metadata.gather(self.form, self.data, self._load(), None), None
        if animation.cover:
            yield self._still(0)
        for part in animation.parts:
            image = decoding.load(self.form, animation.file(part), fail_on=self.fail_on)
            pixels = decoding.pixels_of(image if image.hasalpha() else image.addalpha())
            canvas = apng.empty(animation, pixels) if canvas is None else canvas
            shown = apng.paint(canvas, part, pixels)
            canvas = apng.left(canvas, shown, part)
            yield decoding.made(shown, 16 if image.format == "ushort" else 8, self.name, told)
