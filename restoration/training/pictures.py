"""Pictures of a training, decoded when they are needed: their sizes, and windows of them in 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange

from restoration.engine.shrinking import shrink, shrunk_size
from restoration.errors import BadOption, BadPicture
from restoration.images import read, read_levels, read_size
from restoration.interfaces import Observation
from restoration.picture import Picture, with_channels
from restoration.tasks import describe
from restoration.training.cache import PixelCache
from restoration.training.packed import PackedPairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from restoration.images import Source
    from restoration.images.folders import Pair
    from restoration.interfaces import Task

MARGIN = 4
"""Pixels around a window of a small picture, without which it would be enlarged otherwise than in the whole."""


class Pictures:
    """Pairs by number, of which nothing is read before it is asked for; of each the clean picture and the degraded one.

    * `pairs`: where they are.
    * `task`: enlarges degraded pictures that are smaller than the clean ones, as those of super-resolution.
    * `channels`: 1 for grey, or 3.
    * `shrunk_to`: larger pictures are shrunk to so many squared pixels; 0: none are.
    * `cache`: bytes of decoded pictures that each process keeps in a file.
    """

    def __init__(
        self, pairs: Sequence[Pair], task: Task, *, channels: int = 3, shrunk_to: float = 0, cache: int = 0
    ) -> None:
        self.pairs, self.task, self.channels, self.shrunk_to = PackedPairs(pairs), task, channels, shrunk_to
        self.scale = enlargement(task, channels) if any(pair.degraded for pair in self.pairs[:1]) else 1
        self.cache = PixelCache(2 * len(pairs), cache)
        self.sizes = torch.zeros(len(pairs), 4, dtype=torch.int32)
        """Height and width of clean and degraded pictures as far as they are known, else 0."""

    def __len__(self) -> int:
        return len(self.pairs)

    def size(self, number: int) -> tuple[int, int]:
        """Return the height and width that a pair has in common. Raises `BadPicture`, as for one that has no such."""
        height, width, *small = self.sizes[number].tolist()
        if not height:
            pair = self.pairs[number]
            height, width = shrunk_size(*read_size(pair.clean), self.shrunk_to)
            small = [height, width]
            if pair.degraded is not None:
                below = shrunk_size(*read_size(pair.degraded), self.shrunk_to)
                height, width, small = *common_size(pair, (height, width), below, self.scale), [*below]
            self.sizes[number] = torch.tensor([height, width, *small])
        return height, width

    def window(self, number: int, rows: slice, columns: slice) -> tuple[Tensor, Tensor | None]:
        """Return a window of a clean picture, `c h w` of 8 bits, and of the degraded one, which may be enlarged.

        What was enlarged is a float in [0, 1]. The degraded window is None where there is no such picture.
        """
        pair, size = self.pairs[number], self.size(number)
        clean = self._window(2 * number, pair.clean, rows, columns)
        if pair.degraded is None:
            return clean, None
        small = tuple(self.sizes[number, 2:].tolist())
        if small == size:
            return clean, self._window(2 * number + 1, pair.degraded, rows, columns)
        around = [_around(window, side, self.scale) for window, side in zip((rows, columns), small, strict=True)]
        seen = self._window(2 * number + 1, pair.degraded, *around).float() / 255
        large = describe(self.task, Picture(pixels=seen[None])).y[0]
        top, left = (
            window.start - self.scale * outer.start for window, outer in zip((rows, columns), around, strict=True)
        )
        return clean, large[:, top : top + clean.shape[1], left : left + clean.shape[2]]

    def small_window(self, number: int, rows: slice, columns: slice) -> tuple[Tensor, Tensor]:
        """Return a window of a clean picture and that of the small one, `c h w` of 8 bits, for a network that enlarges.

        Windows begin and end at multiples of the scale. Raises `BadOption` for a pair of one size.
        """
        pair, scale = self.pairs[number], self.scale
        assert pair.degraded is not None
        if self.size(number) == tuple(self.sizes[number, 2:].tolist()):
            raise BadOption(f"{pair.degraded} is as large as the clean picture: the network enlarges small ones")
        small = (slice(window.start // scale, window.stop // scale) for window in (rows, columns))
        return self._window(2 * number, pair.clean, rows, columns), self._window(2 * number + 1, pair.degraded, *small)

    def _window(self, key: int, source: Source, rows: slice, columns: slice) -> Tensor:
        """Return a window of one picture, `c h w` of 8 bits, from the cache or else from its file."""
        window = self.cache.window(key, rows, columns)
        if window is None:
            pixels = self._decoded(source)
            if pixels.shape[0] < rows.stop or pixels.shape[1] < columns.stop:
                raise BadPicture(f"{source} is smaller than it was when the training began")
            self.cache.put(key, pixels)
            window = pixels[rows, columns]
        return rearrange(window, "h w c -> c h w").expand(self.channels, -1, -1)

    def _decoded(self, source: Source) -> Tensor:
        """Decode a picture: `h w c` of 8 bits, in grey if that is asked for, and shrunk."""
        pixels = read_levels(source)
        if self.channels == 1 and pixels.shape[2] == 3:
            pixels = pixels.float().mean(dim=2, keepdim=True).round().to(torch.uint8)
        height, width = pixels.shape[:2]
        if shrunk_size(height, width, self.shrunk_to) == (height, width):
            return pixels
        small = shrink(rearrange(pixels, "h w c -> 1 c h w").float() / 255, self.shrunk_to)
        return rearrange((small * 255).round().to(torch.uint8), "1 c h w -> h w c")


def whole_pair(pair: Pair, task: Task, channels: int) -> tuple[Tensor, Observation | None]:
    """Return a clean picture and its degraded one, `1 c h w` in [0, 1], which is enlarged if it is smaller.

    The degraded one is None where there is no such picture. Raises `BadPicture` for two of different sizes.
    """
    x = with_channels(read(pair.clean).pixels, channels)
    if pair.degraded is None:
        return x, None
    y = with_channels(read(pair.degraded).pixels, channels)
    if x.shape == y.shape:
        return x, Observation(y=y)
    sizes = [(one.shape[-2], one.shape[-1]) for one in (x, y)]
    height, width = common_size(pair, sizes[0], sizes[1], enlargement(task, channels))
    seen = describe(task, Picture(pixels=y))
    return x[..., :height, :width], Observation(y=seen.y[..., :height, :width], measured=seen.measured)


def common_size(pair: Pair, clean: tuple[int, int], degraded: tuple[int, int], scale: int) -> tuple[int, int]:
    """Return the size that two pictures have in common: the same, or what the smaller one has when it is enlarged.

    Where the scale does not divide a side, the small picture may show up to `scale` pixels less, or more. Raises
    `BadPicture` for two that are no pair.
    """
    if clean == degraded:
        return clean
    sides = list(zip(clean, degraded, strict=True))
    if scale > 1 and all(abs(large - scale * small) < scale for large, small in sides):
        height, width = (min(large, scale * small) for large, small in sides)
        return height, width
    sizes = [f"{one} is {wide}x{tall}" for one, (tall, wide) in ((pair.clean, clean), (pair.degraded, degraded))]
    problem = f"a pair has different sizes: {sizes[0]}, {sizes[1]}"
    other = round(clean[0] / degraded[0])
    if other > 1 and all(abs(large - other * small) < other for large, small in sides):
        problem += f", {other} times smaller"
        problem += f"; the task enlarges {scale} times: --set task.scale={other}" if scale > 1 else "; is the task sr?"
    raise BadPicture(problem)


def _around(window: slice, side: int, scale: int) -> slice:
    """Return the part of a side of a small picture that a window of the large one is enlarged from."""
    return slice(max(0, window.start // scale - MARGIN), min(side, -(-window.stop // scale) + MARGIN))


def enlargement(task: Task, channels: int) -> int:
    """Return how many times larger than a degraded picture its clean one is by what a task knows; mostly 1."""
    try:
        return describe(task, Picture(pixels=torch.zeros(1, channels, 8, 8))).y.shape[-1] // 8
    except (BadOption, ValueError):  # it knows nothing about a picture without being told more, as where its holes are
        return 1
