"""Noise of a camera, in its simplest form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Generator, Tensor


class GaussianNoise:
    """Adds independent normal noise; every picture its own strength between the two of `sigma`, in levels of 255.

    The result is not clipped or rounded, as the literature of denoising has it.
    """

    def __init__(self, *, sigma: tuple[float, float] = (5.0, 50.0)) -> None:
        if not 0 <= sigma[0] <= sigma[1]:
            raise ValueError(f"sigma must be two numbers, 0 <= least <= most, not {sigma}")
        self.sigma = sigma

    def __call__(self, x: Tensor, rng: Generator) -> Tensor:
        """Return noisy pictures, `b c h w`, for clean ones."""
        low, high = self.sigma
        strength = low + (high - low) * torch.rand(x.shape[0], 1, 1, 1, generator=rng)
        return x + strength / 255 * torch.randn(x.shape, generator=rng)
