"""The noise of a camera's sensor as it is in its files: correlated between neighbours, and bent by the tone curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import repeat
from torch.nn import functional

from restoration.picture import round_to_levels
from restoration_tasks.drawing import uniform
from restoration_tasks.jpeg import compress

if TYPE_CHECKING:
    from torch import Generator, Tensor

GAMMA = 2.2
"""The exponent of the tone curve: pixels are linear light to the power of 1 / GAMMA."""
FLOOR = (5e-4, 5e-3)
"""The range of the standard deviation of the noise that is there without light, where white is 1."""
BALANCE = (1.0, 2.0)
"""The range of the factors of red and blue in the white balance."""
BLEND = {"green": ((0, 1, 0), (1, 4, 1), (0, 1, 0)), "other": ((1, 2, 1), (2, 4, 2), (1, 2, 1))}
"""The kernels of bilinear demosaicing, on the grid of each colour."""


def photograph(x: Tensor, gain: Tensor, rng: Generator, wanted: Tensor | None = None) -> Tensor:
    """Return pictures `b c h w` as a camera stores them, with noise of its sensor that went through its processing.

    In linear light the noise has the variance `gain x + floor^2` (Foi et al., "Practical Poissonian-Gaussian Noise
    Modeling", 2008; `gain` is `b 1 1 1`) before the white balance. Four of five pictures are taken through a Bayer
    mosaic, which correlates the noise of neighbours. Then some are smoothed, and the tone curve and, for 70 %, JPEG of
    quality 60 to 100 follow: the order of Guo et al., "Toward Convolutional Blind Denoising of Real Photographs", CVPR
    2019. Only the noise is demosaiced and smoothed, so that a method that removes it need not sharpen the picture.

    `wanted`, `b` of True and False, chooses the pictures to return; the random numbers are drawn for all.
    """
    batch, channels = x.shape[:2]
    balance = torch.ones(batch, channels, 1, 1)
    if channels == 3:
        low, high = BALANCE
        balance[:, ::2] = low + (high - low) * torch.rand(batch, 2, 1, 1, generator=rng)
    floor = log_uniform(batch, *FLOOR, rng)
    noise = torch.randn(x.shape, generator=rng)
    mosaic = uniform(batch, 0, 1, rng) < 0.8 if channels == 3 else None
    smooth = uniform(batch, 0, 1, rng) * (uniform(batch, 0, 1, rng) < 0.5)
    stored, quality = uniform(batch, 0, 1, rng) < 0.7, uniform(batch, 60, 100, rng).round()

    def choose(drawn: Tensor) -> Tensor:
        return drawn if wanted is None else drawn[wanted]

    light = choose(x).clamp(0, 1) ** GAMMA
    noise = (choose(balance * gain) * light + choose(balance * floor) ** 2).sqrt() * choose(noise)
    if mosaic is not None:
        noise = torch.where(choose(mosaic), demosaic(noise), noise)
    noise = torch.lerp(noise, _blur(noise), choose(smooth))
    y = round_to_levels((light + noise).clamp(0, 1) ** (1 / GAMMA))
    files = choose(stored).flatten()
    y[files] = compress(y[files], choose(quality)[files])
    return y


def demosaic(x: Tensor) -> Tensor:
    """Keep the values of `b 3 h w` that a Bayer mosaic (RGGB) measures, and interpolate each colour between them."""
    height, width = x.shape[-2:]
    seen = torch.zeros(3, 1, height, width)
    seen[0, :, ::2, ::2] = seen[1, :, ::2, 1::2] = seen[1, :, 1::2, ::2] = seen[2, :, 1::2, 1::2] = 1
    kernel = torch.tensor([BLEND["other"], BLEND["green"], BLEND["other"]]).float()[:, None]
    weights = functional.conv2d(repeat(seen, "c 1 h w -> 1 c h w"), kernel, padding=1, groups=3)
    return functional.conv2d(x * seen[:, 0], kernel, padding=1, groups=3) / weights.clamp(min=1)


def log_uniform(batch: int, low: float, high: float, rng: Generator) -> Tensor:
    """Draw one number for each picture, uniform in its logarithm: `b 1 1 1`."""
    return low * (high / low) ** torch.rand(batch, 1, 1, 1, generator=rng)


def _blur(x: Tensor) -> Tensor:
    kernel = repeat(torch.tensor(BLEND["other"]) / 16, "k l -> c 1 k l", c=x.shape[1])
    return functional.conv2d(x, kernel, padding=1, groups=x.shape[1])
