"""A picture: its pixels as a tensor, and all that its file holds beside them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Compression:
    """How a file was compressed: the `quality`, 1 to 100, None if unknown, or `lossless`.

    `halved_colours` says whether colours have half the resolution, `progressive` whether a JPEG comes in scans.
    """

    quality: int | None = None
    halved_colours: bool = False
    progressive: bool = False
    lossless: bool = False


@dataclass(frozen=True, kw_only=True, repr=False)
class Picture:
    """A picture: `pixels`, `1 c h w` in [0, 1] with 1 or 3 channels, and all that its file holds beside them.

    `alpha` is `1 1 h w` or None; `bits` 8 or 16; `metadata` the raw ICC, EXIF, XMP and IPTC blocks by libvips' names,
    and further ones of single formats. `dpi` are pixels an inch, across and down; `compression` is that of the file.
    """

    pixels: Tensor
    alpha: Tensor | None = None
    bits: int = 8
    suffix: str = ".png"
    metadata: dict[str, bytes] = field(default_factory=dict)
    dpi: tuple[float, float] | None = None
    compression: Compression | None = None

    def __repr__(self) -> str:
        """Return its size and kind, not its numbers."""
        height, width = self.pixels.shape[-2:]
        kind = "grey" if self.pixels.shape[1] == 1 else "colour"
        alpha = "" if self.alpha is None else ", with alpha"
        return f"<Picture {width}x{height}, {kind}{alpha}, {self.bits} bits, {self.suffix}>"

    def _repr_png_(self) -> bytes:
        """Return it as a PNG of 8 bits, which notebooks show."""
        return as_png(self.pixels if self.alpha is None else with_alpha(self.pixels, self.alpha))

    def with_pixels(self, pixels: Tensor) -> Picture:
        """Return the same picture with other pixels; if their size is another, alpha is resized to it."""
        alpha = self.alpha
        if alpha is not None and pixels.shape[-2:] != alpha.shape[-2:]:
            from torch.nn import functional

            alpha = functional.interpolate(alpha, pixels.shape[-2:], mode="bilinear", antialias=True).clamp(0, 1)
        return replace(self, pixels=pixels, alpha=alpha)


def filled(picture: Picture) -> Picture:
    """Return a picture with the colours around in place of those that nobody sees, where it is wholly transparent.

    What networks make of a pixel depends on its neighbours: hidden colours would bleed into the rim of what is seen.
    """
    if picture.alpha is None or not bool((picture.alpha == 0).any()):
        return picture
    return replace(picture, pixels=_spread(picture.pixels, picture.alpha))


def _spread(pixels: Tensor, alpha: Tensor) -> Tensor:
    """Carry colours, weighed by their opacity, into what is transparent: from ever smaller copies of the picture."""
    from torch.nn import functional

    hidden = alpha == 0
    if not bool(hidden.any()):
        return pixels
    if max(alpha.shape[-2:]) == 1:
        return pixels.new_full(pixels.shape, 0.5)
    seen = functional.avg_pool2d(alpha, 2, ceil_mode=True, count_include_pad=False)
    colours_seen = functional.avg_pool2d(pixels * alpha, 2, ceil_mode=True, count_include_pad=False)
    small = _spread(colours_seen / seen.clamp_min(1e-12), seen)
    return functional.interpolate(small, pixels.shape[-2:], mode="bilinear").where(hidden, pixels)


def is_grey(pixels: Tensor) -> bool:
    """Say whether `b c h w` is without colours: the same in all channels, or with one alone."""
    return all(bool((pixels[:, 0] == pixels[:, channel]).all()) for channel in range(1, pixels.shape[1]))


def with_channels(pixels: Tensor, channels: int) -> Tensor:
    """Return `b c h w` with 1 or 3 `channels`: grey is repeated, or red, green and blue are averaged."""
    if pixels.shape[1] == channels:
        return pixels
    return pixels.expand(-1, channels, -1, -1) if pixels.shape[1] == 1 else pixels.mean(dim=1, keepdim=True)


def with_alpha(pixels: Tensor, alpha: Tensor) -> Tensor:
    """Return `1 c h w` with its alpha as one channel more."""
    import torch

    return torch.cat([pixels, alpha], dim=1)


def as_png(pixels: Tensor) -> bytes:
    """Return `1 c h w` of 1 to 4 channels in [0, 1] as a PNG of 8 bits, without anything beside the pixels."""
    _, channels, height, width = pixels.shape
    rows = to_levels(pixels)[0].permute(1, 2, 0).byte().cpu().numpy().reshape(height, channels * width)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), level=1)  # a 0: the row is not filtered
    parts = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)), (b"IDAT", data), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part)) for name, part in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def to_levels(pixels: Tensor, bits: int = 8) -> Tensor:
    """Return the nearest of the whole numbers that a file of 8 or 16 bits stores for pixels of any shape in [0, 1].

    They are floats from 0 to 255 or to 65535; what is below 0 or above 1 is cut off.
    """
    return pixels.clamp(0, 1).mul_(2**bits - 1).round_()


def round_to_levels(pixels: Tensor, bits: int = 8) -> Tensor:
    """Return pixels of any shape in [0, 1] as they are after they were stored in a file of 8 or 16 bits."""
    return to_levels(pixels, bits).div_(2**bits - 1)
