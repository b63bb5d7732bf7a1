"""Pictures judged in small: damage that varies slowly is mended in a small copy, and the change carried over.

What haze a picture has shows in the whole of it, not in its pixels. A network that sees a small copy sees all of it at
once, whatever the size of the file, and is done sooner. The card of a task says so, `working_size`, and the recipe of
weights keeps it: the square root of the number of pixels, 0 for the full size.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from torch.nn import functional

from restoration.smoothing import local_mean

if TYPE_CHECKING:
    from torch import Tensor

RADIUS = 4
"""Pixels of the small copy around each, among which the change is fitted."""
FLAT = 1e-4
"""The variance, in units of [0, 1] squared, below which a surface says little about the contrast that was lost."""


def shrink(x: Tensor, size: float) -> Tensor:
    """Return pictures `b c h w` of at most `size` squared pixels, antialiased; those that are not larger as they are.

    0 is the full size. Sides keep their ratio and at least 16 pixels, or what they have.
    """
    height, width = x.shape[-2:]
    small = shrunk_size(height, width, size)
    if small == (height, width):
        return x
    return functional.interpolate(x, list(small), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def shrunk_size(height: int, width: int, size: float) -> tuple[int, int]:
    """Return the height and width that `shrink` gives a picture."""
    factor = size / math.sqrt(height * width)
    if not 0 < factor < 1:
        return height, width
    tall, wide = (max(min(side, 16), round(side * factor)) for side in (height, width))
    return tall, wide


def carry_over(y: Tensor, small: Tensor, guess: Tensor) -> Tensor:
    """Return what a guess `b c h w` at the clean twin of `small` comes to at the full size of `y`, `b c h w`.

    Around each pixel the guess is fitted as `a small + b`, by least squares and by channel; `a` and `b` are enlarged
    and applied to `y`. Haze, `y = x t + A (1 - t)`, is undone by just that. This is the fast guided filter of He and
    Sun (2015) with the degraded picture as its guide, but flat surfaces tend to `a = 1`. Returns the guess where
    nothing was shrunk.
    """
    if small.shape == y.shape:
        return guess
    mean = partial(local_mean, radius=RADIUS)
    mean_y, mean_x = mean(small), mean(guess)
    variance = (mean(small * small) - mean_y * mean_y).clamp(min=0)
    covariance = mean(small * guess) - mean_y * mean_x
    gain = (covariance + FLAT) / (variance + FLAT)
    gain, offset = mean(gain), mean(mean_x - gain * mean_y)
    size = list(y.shape[-2:])
    full = functional.interpolate(gain, size, mode="bilinear", align_corners=False).mul_(y)
    return full.add_(functional.interpolate(offset, size, mode="bilinear", align_corners=False))
