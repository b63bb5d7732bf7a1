"""What a network is shown when there is nothing to show: noise, or where each pixel lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Generator, Tensor

SCALE = 0.1
"""Of the noise; small, so that the first layers work where they are linear."""


def noise(channels: int, height: int, width: int, rng: Generator) -> Tensor:
    """Return uniform noise in [0, 0.1), `1 c h w` (Ulyanov et al. 2018, arXiv:1711.10925, supplement)."""
    return torch.rand(1, channels, height, width, generator=rng) * SCALE


def mesh_grid(height: int, width: int) -> Tensor:
    """Return how far right and how far down each pixel lies, in [0, 1], `1 2 h w`: a smoother start for large holes."""
    down, right = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([right, down])[None]
