"""Patches of pictures for training: each is a function of the seed, the step and its row, and of nothing else."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from restoration.engine.shrinking import shrink
from restoration.errors import BadOption, BadPicture
from restoration.images import read
from restoration.randomness import keyed_generator

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Generator, Tensor

    from restoration.images.folders import Pair
    from restoration.interfaces import Task

ZOOM, WIDER = 1.5, 4 / 3
"""Of a working size: how much finer a patch may show a picture than the whole is judged at, and how much coarser."""


def split(pairs: list[Pair], held_out: int, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Keep some pairs, drawn by the seed, for validation: at most half of them."""
    order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed)).tolist()
    count = min(held_out, len(pairs) // 2)
    kept = set(order[:count])
    return [p for i, p in enumerate(pairs) if i not in kept], [p for i, p in enumerate(pairs) if i in kept]


class Patches:
    """Random patches of pictures held in memory: batches of clean and degraded ones, the same for the same generator.

    Without a degraded picture of its own a patch is degraded by `task`. Pictures smaller than `size` are left out. With
    a `working_size` they are shrunk, to `ZOOM` times it, and patches by a random factor once more.
    """

    def __init__(self, pairs: list[Pair], task: Task, *, size: int, channels: int = 3, working_size: int = 0) -> None:
        self.task, self.size = task, size
        self.shrunk_to = working_size * ZOOM
        self.pictures: list[tuple[Tensor, Tensor | None]] = []
        for pair in pairs:
            clean = _bytes(pair.clean, channels, self.shrunk_to)
            degraded = _bytes(pair.degraded, channels, self.shrunk_to) if pair.degraded else None
            if degraded is not None and degraded.shape != clean.shape:
                raise BadPicture(f"{pair.clean} and {pair.degraded} have different sizes")
            if min(clean.shape[-2:]) >= size:
                self.pictures.append((clean, degraded))
        if not self.pictures:
            raise BadOption(f"no picture is as large as a patch of {size}x{size}; use a smaller --patch")
        areas = torch.tensor([clean[0].numel() for clean, _ in self.pictures], dtype=torch.float64)
        self.chances = areas.clamp(max=4 * areas.median()).sqrt()

    def fingerprint(self) -> int:
        """Return a number that other pictures, or the same in another order, would hardly have."""
        crc = 0
        for picture in self.pictures:
            for pixels in picture:
                crc = crc if pixels is None else zlib.crc32(pixels.contiguous().numpy(), crc)  # type: ignore[arg-type]
        return crc

    def row(self, seed: int, step: int, row: int) -> tuple[Tensor, Tensor]:
        """Draw a clean and a degraded patch, `c size size` each, in [0, 1], turned and mirrored at random."""
        rng = keyed_generator("patch", seed, step, row)
        index = int(torch.multinomial(self.chances, 1, generator=rng))
        x, y = self.pictures[index]
        height, width = x.shape[-2:]
        draw = torch.rand(5, generator=rng).tolist()
        side = self._side(min(height, width), rng)
        top, left = int(draw[0] * (height - side + 1)), int(draw[1] * (width - side + 1))
        window = (slice(None), slice(top, top + side), slice(left, left + side))
        turn = (draw[2] < 0.5, draw[3] < 0.5, draw[4] < 0.5)
        clean = _turned(self._shrunk(x[window]), turn).float() / 255
        if y is not None:
            return clean, _turned(self._shrunk(y[window]), turn).float() / 255
        return clean, self.task(clean[None], rng)[0]

    def _side(self, shorter: int, rng: Generator) -> int:
        """Draw the side of the window that a patch is made of; without a working size it is the patch's own."""
        if not self.shrunk_to:
            return self.size
        largest = min(shorter, int(self.size * ZOOM * WIDER))
        return self.size + int(torch.rand(1, generator=rng).item() * (largest - self.size + 1))

    def _shrunk(self, window: Tensor) -> Tensor:
        """Shrink a window, `c h w` of 8 bits, to a patch."""
        size = [self.size, self.size]
        if list(window.shape[-2:]) == size:
            return window
        return functional.interpolate(window[None], size, mode="bicubic", antialias=True, align_corners=False)[0]


def _turned(patch: Tensor, turn: tuple[bool, bool, bool]) -> Tensor:
    """Mirror and transpose `c h w`: one of the eight positions of a square."""
    if turn[0]:
        patch = patch.flip(-1)
    if turn[1]:
        patch = patch.flip(-2)
    return patch.transpose(-1, -2) if turn[2] else patch


def _bytes(path: Path, channels: int, size: float) -> Tensor:
    """Read a picture as `c h w`, 8 bits, of at most `size` squared pixels."""
    pixels = shrink(read(path).pixels, size)[0]
    if pixels.shape[0] != channels:
        pixels = pixels.expand(channels, -1, -1) if channels == 3 else pixels.mean(dim=0, keepdim=True)
    return (pixels * 255).round().to(torch.uint8)
