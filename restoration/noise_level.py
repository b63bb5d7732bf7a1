"""How noisy is a picture: the strength of its noise and its share of wrong pixels, from the picture alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

SIDE, MOST = 6, 40_000
"""The side of a patch, and how many of them are about enough."""
WINDOW, NEAR, FAR = 3, 0.05, 0.2
"""The side of what surrounds a pixel; how far from that right pixels are at most, and wrong ones at least."""


def estimate_sigma(y: Tensor) -> float:
    """Return the standard deviation of white noise in pictures `b c h w`, in their units.

    The least eigenvalues of the covariance of patches are those of noise: they lie around one value, mean and median
    alike (Chen, Zhu and Heng, "An Efficient Statistical Method for Image Noise Level Estimation", ICCV 2015).
    Where a file has cut the noise off at black and white, the patches of middle brightness tell, and what is cut off
    there is added. Pictures smaller than a patch, or flat ones, give 0; those below about 64x64 pixels too little.
    """
    if min(y.shape[-2:]) < SIDE:
        return 0.0
    stride = max(1, round((y.shape[0] * y.shape[-2] * y.shape[-1] / MOST) ** 0.5))
    patches = rearrange(functional.unfold(y.float(), SIDE, stride=stride), "b d n -> d (b n)")
    if not _cut_off(y):
        return _white(patches)
    brightness = patches.mean(dim=0)
    middle = (brightness - 0.5).abs().argsort()[: max(2, brightness.numel() // 3)]
    found = sigma = _white(patches[:, middle])
    for _ in range(10):
        sigma = found / max(share_left(brightness[middle].double(), sigma), 0.5)
    return sigma


def impulse_share(y: Tensor) -> float:
    """Return the share of values in pictures `b c h w`, 0 to 1, that are black or white although nothing around is.

    Where other values are far from those around them too, the noise is of another kind, and 0 is returned.
    """
    if min(y.shape[-2:]) < WINDOW:
        return 0.0
    stride = max(1, round((y.numel() / MOST) ** 0.5))
    flat = rearrange(y.float(), "b c h w -> (b c) 1 h w")
    around = rearrange(functional.unfold(flat, WINDOW, stride=stride), "b d n -> d (b n)")
    value = around[WINDOW**2 // 2]
    away, extreme = (value - around.median(dim=0).values).abs(), (value <= 0) | (value >= 1)
    if extreme.all() or float(away[~extreme].median()) > NEAR:
        return 0.0
    return float((extreme & (away > FAR)).float().mean())


def _white(patches: Tensor) -> float:
    """Return the standard deviation of white noise in patches `d n`."""
    if patches.shape[1] < 2:
        return 0.0
    eigenvalues = torch.linalg.eigvalsh(torch.cov(patches).double()).clamp(min=0)
    for last in range(eigenvalues.numel(), 1, -1):
        least = eigenvalues[:last]
        if least.quantile(0.5) >= least.mean():  # what is left is noise: no picture makes a tail of large ones
            return float(least.mean().sqrt())
    return float(eigenvalues[0].sqrt())


def _cut_off(y: Tensor) -> bool:
    """Say whether a picture ends at black or white, and some of it lies there."""
    low, high = float(y.min()), float(y.max())
    return low >= 0 and high <= 1 and (low == 0 or high == 1)


def share_left(mean: Tensor, sigma: float) -> float:
    """Return what is left of `sigma`, as a share, where normal noise around `mean` is cut off at 0 and 1."""
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
