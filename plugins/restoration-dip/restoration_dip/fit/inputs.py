"""What a network is shown: noise, where each pixel lies, or what is left of the picture when it is blurred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange

from restoration.smoothing import blurred

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator, Tensor

SCALE = 0.1
"""Of the noise; small, so that the first layers work where they are linear."""
SCALES = (1.0, 2.0, 4.0)
"""Standard deviations, in pixels, of the blurs that a fit may begin with."""
SHARP = (0.5, 1.0, 2.0, 4.0)
"""The same where a share of the picture is hidden: what is copied of a value that is seen is not asked for."""
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


class Shaken:
    """The same input at each step, `z`, `b c h w`, with other normal noise.

    `jitter` is its standard deviation, one for all channels or one for each (Ulyanov et al. 2018, arXiv:1711.10925,
    supplement).
    """

    def __init__(self, z: Tensor, jitter: float | Sequence[float], rng: Generator) -> None:
        self.z, self.jitter, self.rng = z.contiguous(memory_format=torch.channels_last), torch.tensor(jitter), rng
        self.channels, self.hidden = z.shape[1], None
        self.noise = torch.empty(rearrange(z, "b c h w -> b h w c").shape)  # in the order of memory, which is fast

    def __call__(self) -> Tensor:
        """Return the input of the next step."""
        if not self.jitter.any():
            return self.z
        self.noise.normal_(generator=self.rng).mul_(self.jitter)  # on the CPU: a device does not change the picture
        return rearrange(self.noise, "b h w c -> b c h w").to(self.z.device) + self.z


class Masked:
    """Blurred copies of a picture `1 c h w`, of which a share is hidden, other values at each step.

    Fitted to what is `hidden` just then, a network learns to tell each value from those around it, and noise that is
    new in each of them cannot be told (Batson and Royer, Noise2Self, ICML 2019, arXiv:1901.11365; Quan et al.,
    Self2Self, CVPR 2020). Only what is `known`, like `y` of 0 and 1, is shown, and only what is `fitted` is hidden.
    """

    def __init__(self, y: Tensor, known: Tensor, fitted: Tensor, share: float, rng: Generator) -> None:
        self.y, self.known, self.fitted = y, known.to(y).expand_as(y), fitted.to(y).expand_as(y)
        self.share, self.rng = share, rng
        self.channels, self.hidden = len(SHARP) * y.shape[1], torch.zeros_like(y)

    def __call__(self) -> Tensor:
        """Hide other values; return the input of the next step, as `smoothed` has it: `1 (4 c) h w`."""
        lots = torch.rand(self.y.shape, generator=self.rng).to(self.y)
        self.hidden = self.fitted * (lots < self.share)
        copies = smoothed(self.y, self.known * (1 - self.hidden), SHARP)
        return copies.contiguous(memory_format=torch.channels_last)
