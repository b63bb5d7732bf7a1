"""Dark corners."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Generator, Tensor


class DarkCorners:
    """Makes pictures darker with the square of the distance from their middle; a corner loses at most `strength`."""

    def __init__(self, *, strength: float = 0.8) -> None:
        if not 0 < strength <= 1:
            raise ValueError(f"strength must be above 0 and at most 1, not {strength}")
        self.strength = strength

    def __call__(self, x: Tensor, rng: Generator) -> Tensor:
        """Return degraded pictures for the clean ones `x`, both `b c h w`; all randomness comes from `rng`."""
        down, right = (torch.linspace(-1, 1, side).to(x).square() for side in x.shape[-2:])
        distance = (down[:, None] + right) / 2
        strength = self.strength * torch.rand(x.shape[0], 1, 1, 1, generator=rng).to(x)
        return x * (1 - strength * distance)
