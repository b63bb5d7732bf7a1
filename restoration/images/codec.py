"""Bytes to tensors and back, nothing lost: depth, alpha, ICC, EXIF. libvips does the work."""

from __future__ import annotations

import os
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
    if not data:
        raise BadPicture(f"{name} is empty")
    import pyvips

    pyvips.cache_set_max(0)  # nothing is read twice; the cache would keep whole pictures
    try:
        image = pyvips.Image.new_from_buffer(data, "", fail_on="truncated")
    except pyvips.Error:
        by_plugin = ask("read_image", Picture, data=data, name=name)
        if by_plugin is None:
            raise BadPicture(f"{name} is not a picture that can be read (PNG, JPEG, TIFF, WebP)") from None
        return by_plugin
    limit = int(os.environ.get("RESTORE_MAX_PIXELS", MAX_PIXELS))
    if image.width * image.height > limit:
        size = f"{image.width}x{image.height}"
        raise BadPicture(f"{name} says it is {size}, over {limit} pixels; set RESTORE_MAX_PIXELS if you trust it")
    try:
        return _picture(image, Path(name).suffix.lower())
    except pyvips.Error as error:
        reason = str(error).strip().splitlines()[-1]
        raise BadPicture(f"{name} is damaged and cannot be read whole: {reason}") from None


def _picture(image: Any, suffix: str) -> Picture:
    image = image.autorot()
    metadata = {name: image.get(name) for name in METADATA if name in image.get_fields()}
    deep = image.format not in ("uchar", "char")
    if image.interpretation == "cmyk":
        image, metadata = image.icc_transform("srgb"), {k: v for k, v in metadata.items() if k != METADATA[0]}
    elif image.format in ("float", "double"):
        image = (image * 65535).cast("ushort")
    elif image.format not in ("uchar", "ushort"):
        image = image.cast("ushort" if deep else "uchar")
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
