"""Pictures put together in one file, one after another: pages of a TIFF file, or frames of an animation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from restoration.errors import BadPicture
from restoration.images import apng, codec, metadata, tiff
from restoration.images.forked import survives_forks
from restoration.images.formats import Format, by_suffix

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.images.pictures import Timing
    from restoration.picture import Picture


class Assembly:
    """The file of several pictures, for a suffix; `timing` is that of frames, None for pages.

    What is added is kept as the file needs it, not as floats. Raises `BadPicture` if the format holds one picture only,
    or one is not of the size of the others.
    """

    def __init__(self, suffix: str, count: int, timing: Timing | None, quality: int | None = None) -> None:
        self.suffix, self.count, self.timing, self.quality = suffix, count, timing, quality
        form = by_suffix(suffix)
        if count > 1 and (form is None or not (form.animated if timing else form.name == "TIFF")):
            what, where = ("frames", ".gif, .webp or .png") if timing else ("pages", ".tif")
            raise BadPicture(f"{suffix} does not hold the {count} {what} of the picture; write {where}")
        self.form = form
        self.first: Picture | None = None
        self.frames: list[Tensor] = []
        self.pages: list[tuple[bytes, tiff.Directory]] = []
        self.data = b""

    def check(self, picture: Picture) -> None:
        """Raise `BadPicture` if the format cannot say what the colours of a picture are."""
        if self.form is not None:
            metadata.colour_profile(picture, self.form)

    def add(self, picture: Picture) -> None:
        """Add the next picture."""
        if self.count == 1:
            self.data = codec.encode(picture, self.suffix, self.quality)
            return
        form = codec.check(picture, self.suffix)
        if self.timing is None:
            file = _page(picture, form, self.quality)
            self.pages.append((file, metadata.as_tags(picture, *metadata.blocks_of(picture, form))))
            return
        alpha = picture.pixels.new_ones(1, 1, *picture.pixels.shape[-2:]) if picture.alpha is None else picture.alpha
        levels = codec.rows_of(picture.pixels, alpha, deep=picture.bits == 16 and form.deep)
        if self.frames and levels.shape != self.frames[0].shape:
            raise BadPicture("frames of several sizes make no animation")
        self.first = self.first or picture
        self.frames.append(levels)

    def file(self) -> bytes:
        """Return the bytes of the whole file. Raises `RestorationError`."""
        if self.count == 1:
            return self.data
        if self.timing is None:
            return tiff.join(self.pages)
        return _animation(self, self.timing)


@survives_forks
def _page(picture: Picture, form: Format, quality: int | None) -> bytes:
    return codec.save(codec.image_of(picture, form), form, codec.options(picture, form, quality))


@survives_forks
def _animation(whole: Assembly, timing: Timing) -> bytes:
    import pyvips
    import torch

    assert whole.first is not None and whole.form is not None
    opaque = all(bool((frame[..., -1] == torch.iinfo(frame.dtype).max).all()) for frame in whole.frames)
    frames = [frame[..., :-1].contiguous() if opaque else frame for frame in whole.frames]
    if whole.form.name == "PNG":
        how = codec.options(whole.first, whole.form, None)
        files = [codec.save(_image(whole, frame), whole.form, how) for frame in frames]
        file = apng.write(files, timing.delays, timing.loop, cover=timing.cover)
        return metadata.dress(file, whole.first, whole.form)
    image = _image(whole, torch.cat(frames[timing.cover :])).copy()
    image.set_type(pyvips.GValue.gint_type, "page-height", frames[0].shape[0])
    image.set_type(pyvips.GValue.array_int_type, "delay", list(timing.delays))
    image.set_type(pyvips.GValue.gint_type, "loop", timing.loop)
    data = codec.save(image, whole.form, codec.options(whole.first, whole.form, whole.quality))
    return metadata.dress(data, whole.first, whole.form)


def _image(whole: Assembly, levels: Tensor) -> Any:
    assert whole.first is not None and whole.form is not None
    return metadata.attach(codec.image_of_levels(levels), whole.first, whole.form)
