"""Inputs of the network: noise, the coordinates of the pixels, or blurred copies of the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange

from restoration.smoothing import blurred

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator, Tensor

NOISE_RANGE = 0.1
"""Noise is uniform from 0 to this value: so small that the first layers are nearly linear."""
BLURS = (1.0, 2.0, 4.0)
"""Standard deviations, in pixels, of the blurred copies of the picture."""
MASKED_BLURS = (0.5, 1.0, 2.0, 4.0)
"""The same for a masked input, where half a pixel is safe: the loss is over values that the input does not have."""
FILL_WEIGHT = 1e-3
"""Weight of the next wider blur where few known pixels are near."""


def draw_noise(channels: int, height: int, width: int, rng: Generator) -> Tensor:
    """Draw uniform noise in [0, 0.1), `1 c h w` (Ulyanov et al. 2018, arXiv:1711.10925, supplement)."""
    return torch.rand(1, channels, height, width, generator=rng) * NOISE_RANGE


def make_mesh_grid(height: int, width: int) -> Tensor:
    """Return the coordinates x and y of each pixel in [0, 1], `1 2 h w`: a smooth input, for large holes."""
    down, right = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([right, down])[None]


def blur_known(y: Tensor, known: Tensor, blurs: tuple[float, ...] = BLURS) -> Tensor:
    """Return blurred copies of a picture `1 c h w`, minus 0.5, as channels: `1 (blurs c) h w`.

    Only pixels where `known`, `1 1 h w` or `1 c h w`, is 1 are averaged. Where none of them is near, the value is that
    of the next wider blur, and of the mean at last. A blur removes most of the noise, and leaves the large structures
    that a fit from noise has to learn first.
    """
    known = known.to(y).expand_as(y)
    fill = (y * known).mean((2, 3), keepdim=True) / known.mean((2, 3), keepdim=True).clamp(min=1e-6)
    copies: list[Tensor] = []
    for sigma in sorted(blurs, reverse=True):
        weight = blurred(known, sigma)
        fill = (blurred(y * known, sigma) + FILL_WEIGHT * fill) / (weight + FILL_WEIGHT)
        copies.insert(0, fill.expand_as(y) - 0.5)
    return torch.cat(copies, dim=1)


class JitteredInput:
    """A fixed input `z`, `b c h w`, plus normal noise that is drawn anew at each step.

    `jitter` is the standard deviation of the noise, one for all channels or one for each (Ulyanov et al. 2018,
    arXiv:1711.10925, supplement).
    """

    def __init__(self, z: Tensor, jitter: float | Sequence[float], rng: Generator) -> None:
        self.z, self.jitter, self.rng = z.contiguous(memory_format=torch.channels_last), torch.tensor(jitter), rng
        self.channels, self.hidden = z.shape[1], None
        self.noise = torch.empty(rearrange(z, "b c h w -> b h w c").shape)  # as `z` lies in memory, which is faster

    def __call__(self) -> Tensor:
        """Return the input of the next step."""
        if not self.jitter.any():
            return self.z
        self.noise.normal_(generator=self.rng).mul_(self.jitter)  # on the CPU: a device does not change the picture
        return rearrange(self.noise, "b h w c -> b c h w").to(self.z.device) + self.z


class MaskedInput:
    """Blurred copies of a picture `1 c h w` without a random `share` of its values, others at each step.

    The network is fitted to the values that are `hidden` at the step. So it learns to predict each value from its
    neighbours, and noise that is independent in each value cannot be predicted (Batson and Royer, Noise2Self, ICML
    2019, arXiv:1901.11365; Quan et al., Self2Self, CVPR 2020). `known` and `fitted`, 0 or 1 and of the shape of `y`,
    say which values the input may have, and which of them may be hidden.
    """

    def __init__(self, y: Tensor, known: Tensor, fitted: Tensor, share: float, rng: Generator) -> None:
        self.y, self.known, self.fitted = y, known.to(y).expand_as(y), fitted.to(y).expand_as(y)
        self.share, self.rng = share, rng
        self.channels, self.hidden = len(MASKED_BLURS) * y.shape[1], torch.zeros_like(y)

    def __call__(self) -> Tensor:
        """Hide other values; return the input of the next step, see `blur_known`: `1 (4 c) h w`."""
        drawn = torch.rand(self.y.shape, generator=self.rng).to(self.y)
        self.hidden = self.fitted * (drawn < self.share)
        copies = blur_known(self.y, self.known * (1 - self.hidden), MASKED_BLURS)
        return copies.contiguous(memory_format=torch.channels_last)
