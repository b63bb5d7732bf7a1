"""How noisy a picture is: the strength of its noise and its share of impulses, from the picture alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

PATCH_SIDE, PATCHES = 6, 40_000
"""The side of a patch in pixels, and about how many patches are used."""
WINDOW = 3
"""The side of the window around a pixel that it is compared with."""
RIGHT_DISTANCE, WRONG_DISTANCE = 0.05, 0.2
"""Right pixels differ from the median of their window by at most the first in most cases, wrong ones by the second."""


def estimate_sigma(y: Tensor) -> float:
    """Return the standard deviation of white noise in pictures `b c h w`, in their units.

    The smallest eigenvalues of the covariance of patches are those of the noise: they lie around one value, so that
    their mean and median agree (Chen, Zhu and Heng, "An Efficient Statistical Method for Image Noise Level Estimation",
    ICCV 2015). If a file has clipped the noise at black and white, only patches of middle brightness are used, and the
    estimate is corrected for clipping. The result is 0 for pictures smaller than a patch and for flat ones, and too
    small for pictures of less than about 64x64 pixels.
    """
    if min(y.shape[-2:]) < PATCH_SIDE:
        return 0.0
    stride = max(1, round((y.shape[0] * y.shape[-2] * y.shape[-1] / PATCHES) ** 0.5))
    patches = rearrange(functional.unfold(y.float(), PATCH_SIDE, stride=stride), "b d n -> d (b n)")
    if not _is_clipped(y):
        return _estimate_white(patches)
    brightness = patches.mean(dim=0)
    middle = (brightness - 0.5).abs().argsort()[: max(2, brightness.numel() // 3)]
    found = sigma = _estimate_white(patches[:, middle])
    for _ in range(10):
        sigma = found / max(share_left(brightness[middle].double(), sigma), 0.5)
    return sigma


def impulse_share(y: Tensor) -> float:
    """Return the share of values in pictures `b c h w`, 0 to 1, that are black or white unlike their surroundings.

    If other values differ from their surroundings too, the noise is of another kind, and 0 is returned.
    """
    if min(y.shape[-2:]) < WINDOW:
        return 0.0
    stride = max(1, round((y.numel() / PATCHES) ** 0.5))
    flat = rearrange(y.float(), "b c h w -> (b c) 1 h w")
    around = rearrange(functional.unfold(flat, WINDOW, stride=stride), "b d n -> d (b n)")
    value = around[WINDOW**2 // 2]
    away, extreme = (value - around.median(dim=0).values).abs(), (value <= 0) | (value >= 1)
    if extreme.all() or float(away[~extreme].median()) > RIGHT_DISTANCE:
        return 0.0
    return float((extreme & (away > WRONG_DISTANCE)).float().mean())


def _estimate_white(patches: Tensor) -> float:
    """Return the standard deviation of white noise in patches `d n`."""
    if patches.shape[1] < 2:
        return 0.0
    eigenvalues = torch.linalg.eigvalsh(torch.cov(patches).double()).clamp(min=0)
    for last in range(eigenvalues.numel(), 1, -1):
        least = eigenvalues[:last]
        if least.quantile(0.5) >= least.mean():  # what is left is noise: no picture makes a tail of large ones
            return float(least.mean().sqrt())
    return float(eigenvalues[0].sqrt())


def _is_clipped(y: Tensor) -> bool:
    """Return whether pixels of a picture lie at black or white, and none beyond."""
    low, high = float(y.min()), float(y.max())
    return low >= 0 and high <= 1 and (low == 0 or high == 1)


def share_left(mean: Tensor, sigma: float) -> float:
    """Return the standard deviation of normal noise around `mean` after clipping to [0, 1], as a share of `sigma`."""
    if sigma <= 0:
        return 1.0
    low, high = -mean / sigma, (1 - mean) / sigma
    below, above = torch.special.ndtr(low), torch.special.ndtr(high)
    bell, bell_above = (torch.exp(-side.square() / 2) / (2 * torch.pi) ** 0.5 for side in (low, high))
    within = above - below
    first = (1 - above) + mean * within + sigma * (bell - bell_above)
    second = (1 - above) + mean.square() * within + 2 * mean * sigma * (bell - bell_above)
    second = second + sigma**2 * (within + low * bell - high * bell_above)
    return float((second - first.square()).mean().clamp(min=0).sqrt()) / sigma
