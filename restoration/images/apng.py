"""Animated PNG: its frames as pictures of their own, and the file made of frames. libvips reads and writes only PNG.

W3C, Portable Network Graphics, third edition, 11.3.6 and 13.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from restoration.images import png

if TYPE_CHECKING:
    from torch import Tensor

KEEP, CLEAR, BACK = 0, 1, 2
"""What becomes of a frame's place before the next: it stays, becomes transparent, or what it was before."""


@dataclass
class Part:
    """What one frame changes: a rectangle of the canvas, as a PNG of its own."""

    width: int
    height: int
    x: int
    y: int
    delay: int
    dispose: int
    over: bool
    packed: list[bytes] = field(default_factory=list)

    def fits(self, width: int, height: int) -> bool:
        """Say whether it lies within the canvas."""
        return self.width > 0 and self.height > 0 and self.x + self.width <= width and self.y + self.height <= height


@dataclass
class Animation:
    """The frames of a file and how often they are shown, 0 for ever; `start` is what begins each PNG of a part.

    `cover` says that the still picture of the file is none of them.
    """

    width: int
    height: int
    start: bytes
    further: bytes
    plays: int
    parts: list[Part]
    cover: bool

    def file(self, part: Part) -> bytes:
        """Return a part as a PNG."""
        header = struct.pack(">II", part.width, part.height) + self.start[8:]
        packed = png.chunk(b"IDAT", b"".join(part.packed))
        return png.SIGNATURE + png.chunk(b"IHDR", header) + self.further + packed + png.chunk(b"IEND", b"")


def parse(data: bytes, *, damaged: bool = False) -> Animation | None:
    """Return the animation that a file holds; None for a still picture. Raises `ValueError` if it is not whole.

    Of a `damaged` file the frames that are there are taken.
    """
    frames = plays = 0
    start, further, parts, still, cover = b"", b"", list[Part](), True, False
    for kind, content in png.chunks(data):
        if kind == b"IHDR" and len(content) == 13:
            start = bytes(content)
        elif kind == b"acTL" and len(content) == 8:
            frames, plays = struct.unpack(">II", content)
            still = still and frames == 0
        elif kind in (b"PLTE", b"tRNS"):
            further += png.chunk(kind, bytes(content))
        elif kind == b"fcTL" and len(content) == 26:
            width, height, x, y, over, below, dispose, blend = struct.unpack(">4x4IHHBB", content)
            parts.append(Part(width, height, x, y, round(1000 * over / (below or 100)), dispose, bool(blend)))
        elif kind == b"IDAT" and still:
            return None  # what says that it is an animation comes before
        elif kind == b"IDAT" and not parts:
            cover = True
        elif kind in (b"IDAT", b"fdAT") and parts:
            parts[-1].packed.append(bytes(content[4 if kind == b"fdAT" else 0 :]))
    if still or len(start) != 13:
        return None
    width, height = struct.unpack(">II", start[:8])
    whole = [part for part in parts if part.packed and part.fits(width, height)]
    if len(whole) != frames and not (damaged and whole):
        raise ValueError(f"of {frames} frames {len(whole)} are there")
    return Animation(width, height, start, further, plays, whole, cover)


def paint(canvas: Tensor, part: Part, pixels: Tensor) -> Tensor:
    """Paint a part on a canvas, both `1 c h w` of which the last channel is the opacity; return the canvas as shown."""
    shown = canvas.clone()
    place = (..., slice(part.y, part.y + part.height), slice(part.x, part.x + part.width))
    if part.over:
        below, opacity = canvas[place], pixels[:, -1:]
        rest = below[:, -1:] * (1 - opacity)
        total = opacity + rest
        mixed = (pixels[:, :-1] * opacity + below[:, :-1] * rest) / total.clamp_min(1e-12)
        shown[place][:, :-1], shown[place][:, -1:] = mixed, total
    else:
        shown[place] = pixels
    return shown


def left(canvas: Tensor, shown: Tensor, part: Part) -> Tensor:
    """Return the canvas that the next part is painted on."""
    if part.dispose == BACK:
        return canvas
    if part.dispose == CLEAR:
        shown = shown.clone()
        shown[..., part.y : part.y + part.height, part.x : part.x + part.width] = 0
    return shown


def write(files: Sequence[bytes], delays: Sequence[int], plays: int, *, cover: bool = False) -> bytes:
    """Return the animation of PNGs of one size and kind, shown for so many milliseconds each.

    With a `cover` the first one is only for programs that know no animations.
    """
    made, number = [png.SIGNATURE], 0
    for place, (file, delay) in enumerate(zip(files, [*[0] * cover, *delays], strict=True)):
        packed = b"".join(content for kind, content in png.chunks(file) if kind == b"IDAT")
        before = [(kind, bytes(content)) for kind, content in png.chunks(file) if kind not in (b"IDAT", b"IEND")]
        if place == 0:
            made += [png.chunk(*before[0]), png.chunk(b"acTL", struct.pack(">II", len(delays), plays))]
            made += [png.chunk(*one) for one in before[1:]]
        size = struct.unpack(">II", before[0][1][:8])
        timing = (delay, 1000) if delay < 1 << 16 else (min(round(delay / 1000), 65535), 1)
        if place or not cover:
            made.append(png.chunk(b"fcTL", struct.pack(">5IHHBB", number, *size, 0, 0, *timing, KEEP, 0)))
            number += 1
        if place == 0:
            made.append(png.chunk(b"IDAT", packed))
        else:
            made.append(png.chunk(b"fdAT", struct.pack(">I", number) + packed))
            number += 1
    return b"".join([*made, png.chunk(b"IEND", b"")])


def empty(animation: Animation, like: Tensor) -> Tensor:
    """Return a canvas on which nothing is painted, `1 c h w`, with the channels of a part."""
    return like.new_zeros(1, like.shape[1], animation.height, animation.width)
