"""What a network is shown: noise, where each pixel lies, or what is left of the picture when it is blurred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from restoration.smoothing import blurred

if TYPE_CHECKING:
    from torch import Generator, Tensor

SCALE = 0.1
"""Of the noise; small, so that the first layers work where they are linear."""
SCALES = (1.0, 2.0, 4.0)
"""Standard deviations, in pixels, of the blurs that a fit may begin with."""
FAINT = 1e-3
"""Weight of what is seen from further away, where hardly anything is near."""


def noise(channels: int, height: int, width: int, rng: Generator) -> Tensor:
    """Return uniform noise in [0, 0.1), `1 c h w` (Ulyanov et al. 2018, arXiv:1711.10925, supplement)."""
    return torch.rand(1, channels, height, width, generator=rng) * SCALE


def mesh_grid(height: int, width: int) -> Tensor:
    """Return how far right and how far down each pixel lies, in [0, 1], `1 2 h w`: a smoother start for large holes."""
    down, right = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([right, down])[None]


def smoothed(y: Tensor, known: Tensor, scales: tuple[float, ...] = SCALES) -> Tensor:
    """Return blurred copies of a picture `1 c h w`, less a half, one behind the other: `1 (scales c) h w`.

    Only pixels count where `known`, `1 1 h w` or `1 c h w`, is 1; where there are none near, a wider blur says what
    is there, and at last the mean. A blur takes away most of the noise and nothing of what is large, which a fit from
    noise has to find first.
    """
    known = known.to(y).expand_as(y)
    fill = (y * known).mean((2, 3), keepdim=True) / known.mean((2, 3), keepdim=True).clamp(min=1e-6)
    copies: list[Tensor] = []
    for scale in sorted(scales, reverse=True):
        weight = blurred(known, scale)
        fill = (blurred(y * known, scale) + FAINT * fill) / (weight + FAINT)
        copies.insert(0, fill.expand_as(y) - 0.5)
    return torch.cat(copies, dim=1)
