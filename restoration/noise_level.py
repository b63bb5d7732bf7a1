"""How noisy is a picture: its standard deviation of noise, from the picture alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

SIDE, MOST = 6, 40_000
"""The side of a patch, and how many of them are about enough."""


def estimate_sigma(y: Tensor) -> float:
    """Return the standard deviation of white noise in pictures `b c h w`, in their units.

    The least eigenvalues of the covariance of patches are those of noise: they lie around one value, mean and median
    alike (Chen, Zhu and Heng, "An Efficient Statistical Method for Image Noise Level Estimation", ICCV 2015).
    Pictures smaller than a patch, or flat ones, give 0; those below about 64x64 pixels too little, as does strong noise
    that a file has clipped.
    """
    if min(y.shape[-2:]) < SIDE:
        return 0.0
    stride = max(1, round((y.shape[0] * y.shape[-2] * y.shape[-1] / MOST) ** 0.5))
    patches = functional.unfold(y.float(), SIDE, stride=stride)
    flat = rearrange(patches, "b d n -> d (b n)")
    if flat.shape[1] < 2:
        return 0.0
    eigenvalues = torch.linalg.eigvalsh(torch.cov(flat).double()).clamp(min=0)
    for last in range(eigenvalues.numel(), 1, -1):
        least = eigenvalues[:last]
        if least.quantile(0.5) >= least.mean():  # what is left is noise: no picture makes a tail of large ones
            return float(least.mean().sqrt())
    return float(eigenvalues[0].sqrt())
