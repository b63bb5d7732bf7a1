"""Means of what is around each pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


def blurred(picture: Tensor, sigma: float) -> Tensor:
    """Convolve `b c h w` with a Gaussian of standard deviation `sigma`, in pixels, the border repeated."""
    radius = math.ceil(3 * sigma)
    weights = [math.exp(-(place**2) / (2 * sigma**2)) for place in range(radius + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    for axis in (-1, -2):
        ends = (radius, radius, 0, 0) if axis == -1 else (0, 0, radius, radius)
        padded, length = functional.pad(picture, ends, mode="replicate"), picture.shape[axis]
        picture = padded.narrow(axis, radius, length) * (weights[0] / total)
        for place, weight in enumerate(weights[1:], 1):  # faster on a processor than a convolution by channel
            for start in (radius - place, radius + place):
                picture.add_(padded.narrow(axis, start, length), alpha=weight / total)
    return picture


def local_mean(x: Tensor, radius: int) -> Tensor:
    """Return the mean over the square around each pixel of `b c h w`; at borders over what there is of it."""
    return functional.avg_pool2d(x, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)
