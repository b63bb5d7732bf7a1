"""Gaussian blur and local means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


def blurred(picture: Tensor, sigma: float) -> Tensor:
    """Convolve `b c h w` with a Gaussian of standard deviation `sigma`, in pixels; the border is repeated."""
    radius = math.ceil(3 * sigma)
    weights = [math.exp(-(offset**2) / (2 * sigma**2)) for offset in range(radius + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    for axis in (-1, -2):
        ends = (radius, radius, 0, 0) if axis == -1 else (0, 0, radius, radius)
        padded, length = functional.pad(picture, ends, mode="replicate"), picture.shape[axis]
        picture = padded.narrow(axis, radius, length) * (weights[0] / total)
        for offset, weight in enumerate(weights[1:], 1):  # faster on a processor than a convolution by channel
            for start in (radius - offset, radius + offset):
                picture.add_(padded.narrow(axis, start, length), alpha=weight / total)
    return picture


def local_mean(x: Tensor, radius: int) -> Tensor:
    """Return the mean of the square around each pixel of `b c h w`; at the border, of the part inside the picture."""
    return functional.avg_pool2d(x, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)
