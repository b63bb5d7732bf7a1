"""Small copies: damage that varies slowly is removed in a small copy, and the change transferred to the full size.

How much haze a picture has is seen in the whole of it, not in single pixels. A network with a small copy as its input
sees the whole picture, whatever the size of the file, and takes less time. The card of a task has a `working_size`, and
so has the recipe of weights: the square root of the number of pixels, 0 for the full size.
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
"""The radius of the square around each pixel of the small copy over which the change is fitted, in pixels."""
FLAT = 1e-4
"""The variance, in units of [0, 1] squared, below which a region says little about the contrast that was lost."""


def shrink(x: Tensor, size: float) -> Tensor:
    """Return pictures `b c h w` of about `size` times `size` pixels, antialiased; smaller ones are returned unchanged.

    A `size` of 0 is the full size. The aspect ratio is kept, and sides have at least 16 pixels, or all they had.
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
    """Return `y`, `b c h w`, with the change that leads from `small` to a `guess` at its clean version, both `b c h w`.

    Around each pixel the guess is fitted as `a small + b`, by least squares and for each channel; `a` and `b` are
    enlarged and applied to `y`. Haze, `y = x t + A (1 - t)`, has just such an inverse. This is the fast guided filter
    of He and Sun (2015) with the degraded picture as its guide, but for flat regions `a` tends to 1. If `small` has the
    size of `y`, the guess is returned.
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
