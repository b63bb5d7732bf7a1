"""Bytes to tensors and back, nothing lost: depth, alpha, ICC, EXIF. libvips does the work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.errors import BadPicture
from restoration.picture import Picture, to_levels
from restoration.registry import ask, registry

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = {".png": "[compression=3]", ".jpg": "[Q=95]", ".jpeg": "[Q=95]", ".tif": "[compression=deflate]"}
SUFFIXES |= {".tiff": SUFFIXES[".tif"], ".webp": "[Q=95]"}
DEEP = (".png", ".tif", ".tiff")
"""Formats that hold 16 bits."""
MAX_PIXELS = 500_000_000
"""Pictures with more pixels are refused before they are decoded; `RESTORE_MAX_PIXELS` is another limit."""
METADATA = ("icc-profile-data", "exif-data", "xmp-data", "iptc-data")


def decode(data: bytes, name: str) -> Picture:
    """Decode the bytes of a file called `name`. Raises `BadPicture`."""
    image = _opened(data, name)
    if isinstance(image, Picture):
        return image
    with _whole(name):
        return _picture(image, Path(name).suffix.lower())


def decode_levels(data: bytes, name: str) -> Tensor:
    """Decode the colours of a file to 8 bits, `h w c` with 1 or 3 channels, uint8. Raises `BadPicture`.

    They are those that `decode` gives, rounded, in a quarter of its time and memory.
    """
    import torch
    from einops import rearrange

    image = _opened(data, name)
    if isinstance(image, Picture):
        pixels = (image.pixels.clamp(0, 1) * 255).round()
        return rearrange(pixels.to(torch.uint8), "1 c h w -> h w c")
    with _whole(name):
        upright = _upright(image)
        bands = upright.bands
        colours = upright if bands in (1, 3) else upright.extract_band(0, n=3 if bands > 2 else 1)
        if colours.format == "ushort":
            pixels = (_tensor(colours).div_(65535) * 255).round()
            return rearrange(pixels.to(torch.uint8), "1 c h w -> h w c")
        flat = torch.frombuffer(bytearray(colours.write_to_memory()), dtype=torch.uint8)
        return flat.view(colours.height, colours.width, colours.bands)


def decode_size(source: bytes | Path, name: str) -> tuple[int, int]:
    """Return the height and width of a picture, upright, from the head of its file alone. Raises `BadPicture`."""
    image = _opened(source, name)
    if isinstance(image, Picture):
        height, width = image.pixels.shape[-2:]
        return height, width
    turned = image.get("orientation") in (5, 6, 7, 8) if "orientation" in image.get_fields() else False
    return (image.width, image.height) if turned else (image.height, image.width)


def _opened(source: bytes | Path, name: str) -> Any:
    """Return an image of libvips whose pixels were not decoded yet, or the picture that a plugin decodes."""
    import pyvips

    pyvips.cache_set_max(0)  # nothing is read twice; the cache would keep whole pictures
    try:
        if isinstance(source, bytes):
            if not source:
                raise BadPicture(f"{name} is empty")
            image = pyvips.Image.new_from_buffer(source, "", fail_on="truncated")
        else:
            image = pyvips.Image.new_from_file(str(source), fail_on="truncated")
    except pyvips.Error:
        data = source if isinstance(source, bytes) else source.read_bytes()
        by_plugin = ask("read_image", Picture, data=data, name=name)
        if by_plugin is None:
            what = "is not a picture that can be read (PNG, JPEG, TIFF, WebP)" if data else "is empty"
            raise BadPicture(f"{name} {what}") from None
        return by_plugin
    limit = int(os.environ.get("RESTORE_MAX_PIXELS", MAX_PIXELS))
    if image.width * image.height > limit:
        size = f"{image.width}x{image.height}"
        raise BadPicture(f"{name} says it is {size}, over {limit} pixels; set RESTORE_MAX_PIXELS if you trust it")
    return image


@contextmanager
def _whole(name: str) -> Iterator[None]:
    """Say in one line that a file ends too early or is broken, when that shows as it is decoded."""
    import pyvips

    try:
        yield
    except pyvips.Error as error:
        reason = str(error).strip().splitlines()[-1]
        raise BadPicture(f"{name} is damaged and cannot be read whole: {reason}") from None


def _upright(image: Any) -> Any:
    """Return an image turned as its orientation says, in RGB or grey of 8 or 16 bits."""
    image = image.autorot()
    if image.interpretation == "cmyk":
        image = image.icc_transform("srgb")
    if image.format in ("float", "double"):
        return (image * 65535).cast("ushort")
    return image if image.format in ("uchar", "ushort") else image.cast("uchar" if image.format == "char" else "ushort")


def _picture(image: Any, suffix: str) -> Picture:
    image = image.autorot()
    metadata = {name: image.get(name) for name in METADATA if name in image.get_fields()}
    if image.interpretation == "cmyk":
        metadata.pop(METADATA[0], None)
    image = _upright(image)
    deep = image.format == "ushort"
    array = _tensor(image).div_(65535 if deep else 255)
    alpha = array[:, -1:] if array.shape[1] in (2, 4) else None
    colours = array[:, :3] if array.shape[1] >= 3 else array[:, :1]
    suffix = suffix if suffix in SUFFIXES else ".png"
    return Picture(pixels=colours, alpha=alpha, bits=16 if deep else 8, suffix=suffix, metadata=metadata)


def _tensor(image: Any) -> Tensor:
    """A libvips image of 8 or 16 bits to `1 c h w`, float32, not scaled."""
    import torch
    from einops import rearrange

    kind = torch.uint16 if image.format == "ushort" else torch.uint8
    flat = torch.frombuffer(bytearray(image.write_to_memory()), dtype=kind)
    upright = rearrange(flat, "(h w c) -> 1 c h w", h=image.height, c=image.bands)
    return torch.empty(upright.shape).copy_(upright)


def encode(picture: Picture, suffix: str, quality: int | None = None) -> bytes:
    """Encode a picture for a suffix such as ".png"; 16 bits become 8 where the format holds no more.

    `quality`, 1 to 100, is for JPEG and WebP; 95 if not said.
    """
    import pyvips
    import torch
    from einops import rearrange

    by_plugin = ask("write_image", bytes, picture=picture, suffix=suffix)
    if by_plugin is not None:
        return by_plugin
    if suffix not in SUFFIXES:
        raise BadPicture(f"cannot write {suffix or 'a file without a suffix'}; use one of {', '.join(SUFFIXES)}")
    bands = picture.pixels if picture.alpha is None else torch.cat([picture.pixels, picture.alpha], dim=1)
    if picture.alpha is not None and suffix in (".jpg", ".jpeg"):
        bands = picture.pixels
    deep = picture.bits == 16 and suffix in DEEP
    bits, kind, name = (16, torch.uint16, "ushort") if deep else (8, torch.uint8, "uchar")
    rows = rearrange(to_levels(bands, bits), "1 c h w -> h w c").to(kind).contiguous()
    height, width, channels = rows.shape
    image = pyvips.Image.new_from_memory(rows.numpy().tobytes(), width, height, channels, name)
    grey = channels < 3
    kinds = ("grey16", "rgb16") if deep else ("b-w", "srgb")
    image = image.copy(interpretation=kinds[0] if grey else kinds[1])
    for block, value in picture.metadata.items():
        image.set_type(pyvips.GValue.blob_type, block, value)
    if "exif-data" in picture.metadata:
        image.set_type(pyvips.GValue.gint_type, "orientation", 1)  # the pixels are upright, whatever the block says
    encoded: bytes = image.write_to_buffer(suffix + (SUFFIXES[suffix] if quality is None else f"[Q={quality}]"))
    return encoded


def can_write(suffix: str) -> bool:
    """Say whether a suffix is one of ours, or a plugin writes formats of its own and may be asked."""
    return suffix in SUFFIXES or bool(registry().hooks.hook.write_image.get_hookimpls())
