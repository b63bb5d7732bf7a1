"""Bytes to pictures and back, nothing lost: depth, alpha, colours, and what a file tells beside them. By libvips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from restoration.errors import BadPicture, RestorationError
from restoration.images import metadata
from restoration.images.decoding import reason
from restoration.images.forked import survives_forks
from restoration.images.formats import Format, by_suffix, writable
from restoration.images.opened import Opened
from restoration.images.pictures import Pictures, Unreadable
from restoration.images.remarks import once
from restoration.picture import Picture, to_levels
from restoration.registry import ask, registry

if TYPE_CHECKING:
    from mmap import mmap

    from torch import Tensor

LEAST_QUALITY = 50
"""Least quality of a result in JPEG, whatever that of the input: at less, what was restored would be lost."""
BIG = 4_000_000_000
"""A TIFF file with more bytes of pixels than this has 64-bit offsets (BigTIFF)."""


def decode(data: bytes, name: str, *, damaged: bool = False) -> Picture:
    """Decode the bytes of a file called `name`, which holds one picture; of a `damaged` one what there is of it.

    Raises `BadPicture`.
    """
    return decode_all(data, name, damaged=damaged).only()


def decode_all(data: bytes, name: str, *, damaged: bool | None = False) -> Pictures:
    """Open the bytes of a file called `name`; its pages or frames are decoded one by one. Raises `BadPicture`.

    Where `damaged` is None the error about a damaged file does not advise to take it all the same.
    """
    if not data:
        raise BadPicture(f"{name} is empty")
    try:
        return _open(data, name, damaged)
    except Unreadable as error:
        return _by_plugin(data, name, error)


def decode_levels(data: bytes, name: str) -> Tensor:
    """Decode the colours of a file to 8 bits, `h w c` with 1 or 3 channels, uint8. Raises `BadPicture`.

    They are those that `decode` gives, rounded, in a quarter of its time and memory.
    """
    import torch
    from einops import rearrange

    if not data:
        raise BadPicture(f"{name} is empty")
    try:
        return _levels(data, name)
    except Unreadable as error:
        pixels = _by_plugin(data, name, error).only().pixels
    return rearrange(to_levels(pixels).to(torch.uint8), "1 c h w -> h w c")


def decode_size(data: bytes | mmap, name: str) -> tuple[int, int]:
    """Return the height and width of a picture, upright, from the head of its file alone. Raises `BadPicture`."""
    if not data:
        raise BadPicture(f"{name} is empty")
    try:
        return _size(data, name)
    except Unreadable as error:
        height, width = _by_plugin(bytes(data), name, error).only().pixels.shape[-2:]
        return height, width


@survives_forks
def _open(data: bytes, name: str, damaged: bool | None) -> Pictures:
    return Opened(data, name, damaged=damaged)


@survives_forks
def _levels(data: bytes, name: str) -> Tensor:
    return Opened(data, name).levels()


@survives_forks
def _size(data: bytes | mmap, name: str) -> tuple[int, int]:
    return Opened(cast("bytes", data), name, glance=True).size()  # a mapped file is as good


def _by_plugin(data: bytes, name: str, error: Unreadable) -> Pictures:
    """Return what a plugin decodes of a file that libvips cannot read. Raises the error of libvips if none does."""
    picture = ask("read_image", Picture, data=data, name=name)
    if picture is None:
        raise error
    return Pictures(name, picture)


def encode(picture: Picture, suffix: str, quality: int | None = None) -> bytes:
    """Encode a picture for a suffix such as ".png"; 16 bits become 8 where the format holds no more.

    `quality`, 1 to 100, is for JPEG, WebP and AVIF; if it is not said, that of the file that the picture came from, or
    95. Raises `BadPicture` for what the format does not hold.
    """
    by_plugin = ask("write_image", bytes, picture=picture, suffix=suffix)
    if by_plugin is not None:
        return by_plugin
    return _encode(picture, suffix, quality)


@survives_forks
def _encode(picture: Picture, suffix: str, quality: int | None) -> bytes:
    form = check(picture, suffix)
    return metadata.dress(save(image_of(picture, form), form, options(picture, form, quality)), picture, form)


def check(picture: Picture, suffix: str) -> Format:
    """Return the format of a suffix if it holds a picture. Raises `BadPicture`."""
    form = by_suffix(suffix)
    if form is None or not form.writable:
        what = suffix or "a file without a suffix"
        raise BadPicture(f"cannot write {what}; use one of {', '.join(writable())}")
    height, width = picture.pixels.shape[-2:]
    if max(height, width) > form.side:
        raise BadPicture(f"{form.name} holds at most {form.side} pixels a side, not {width}x{height}; write a .png")
    metadata.colour_profile(picture, form)
    return form


def can_write(suffix: str) -> bool:
    """Say whether a suffix is one of ours, or a plugin writes formats of its own and may be asked."""
    return suffix in writable() or bool(registry().hooks.hook.write_image.get_hookimpls())


def image_of(picture: Picture, form: Format) -> Any:
    """Return the image of libvips to be saved as a format, with its colour profile; on white, if it holds no alpha."""
    pixels, alpha = picture.pixels, picture.alpha
    if alpha is not None and not form.alpha:
        if bool((alpha < 1).any()):
            once(f"{form.name} has no transparency: what was transparent is white")
        pixels, alpha = pixels.clamp(0, 1) * alpha + (1 - alpha), None
    levels = rows_of(pixels, alpha, deep=picture.bits == 16 and form.deep)
    return metadata.attach(image_of_levels(levels), picture, form)


def image_of_levels(levels: Tensor) -> Any:
    """Return an image of libvips of levels of 8 or 16 bits, `h w c`."""
    import pyvips
    import torch

    height, width, channels = levels.shape
    deep = levels.dtype == torch.uint16
    image = pyvips.Image.new_from_memory(levels.numpy().data, width, height, channels, "ushort" if deep else "uchar")
    return image.copy(interpretation=(("grey16", "rgb16") if deep else ("b-w", "srgb"))[channels >= 3])


def rows_of(pixels: Tensor, alpha: Tensor | None, *, deep: bool) -> Tensor:
    """Return levels of 8 or, if `deep`, 16 bits, `h w c`, of pixels in [0, 1]."""
    import torch
    from einops import rearrange

    bands = pixels if alpha is None else torch.cat([pixels, alpha], dim=1)
    bits, kind = (16, torch.uint16) if deep else (8, torch.uint8)
    return rearrange(to_levels(bands, bits), "1 c h w -> h w c").to(kind).contiguous()


def options(picture: Picture, form: Format, quality: int | None) -> dict[str, Any]:
    """Return the options that libvips saves a format with."""
    found, before = dict(form.save), picture.compression
    if form.name == "TIFF":
        height, width = picture.pixels.shape[-2:]
        found["bigtiff"] = height * width * 8 > BIG
    if not form.lossy:
        return found
    if quality is not None:
        return {**found, "Q": quality}
    if before is None or (form.name == "WebP") != before.lossless:
        return found
    if form.name == "WebP":
        return {"lossless": True, "exact": True}
    if form.name == "JPEG" and before.quality is not None:
        found["Q"] = max(before.quality, LEAST_QUALITY)
        found["subsample_mode"] = "on" if before.halved_colours else "off"
        found["interlace"] = before.progressive
    return found


def save(image: Any, form: Format, how: dict[str, Any]) -> bytes:
    """Save an image of libvips. Raises `RestorationError`."""
    import pyvips

    try:
        if form.name == "Radiance HDR":
            image = image.colourspace("scrgb")
        how["keep"] = metadata.kept(image)
        if not form.saver.endswith("_buffer"):
            return bytes(image.write_to_buffer(form.suffixes[0], **how))
        return bytes(pyvips.Operation.call(form.saver, image, **how))
    except pyvips.Error as error:
        raise RestorationError(f"cannot write {form.name}: {reason(error)}") from None
