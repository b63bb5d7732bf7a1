"""How close is it: PSNR and SSIM, each under the convention that its protocol string names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

Space = Literal["rgb", "y"]


def protocol(metric: str, space: Space, border: int) -> str:
    """Return the words that belong beside a number: "PSNR, Y (BT.601, 16-235, float), border 0"."""
    spaces = {"rgb": "RGB", "y": "Y (BT.601, 16-235, float)"}
    how = ", Gaussian 11x11 sigma 1.5, valid windows" if metric == "SSIM" else ""
    return f"{metric}, {spaces[space]}{how}, border {border}"


def luma(image: Tensor) -> Tensor:
    """Return Y of `b 3 h w` in [0, 1] as MATLAB's rgb2ycbcr gives it, in float: `b 1 h w` in [16, 235] / 255."""
    if image.shape[1] == 1:
        return image
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=image.dtype, device=image.device)
    return (torch.einsum("bchw,c->bhw", image, weights)[:, None] + 16) / 255


def psnr(image: Tensor, clean: Tensor, *, space: Space = "rgb", border: int = 0) -> float:
    """Return the peak signal-to-noise ratio in dB, of `1 c h w` in [0, 1], peak 1; equal pictures give infinity.

    `space` "y" is the convention of MATLAB and BasicSR. Raises `ValueError` for different shapes or for a
    border that leaves nothing.
    """
    first, second = _prepared(image, clean, space, border)
    error = float((first - second).square().mean())
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(image: Tensor, clean: Tensor, *, space: Space = "rgb", border: int = 0) -> float:
    """Return the structural similarity (Wang et al., 2004) of `1 c h w` in [0, 1], the mean of the channels.

    A Gaussian window of 11x11 with sigma 1.5, only where it lies inside, in float64: as MATLAB and BasicSR have it.
    Raises `ValueError` for different shapes or pictures of less than 11 pixels a side.
    """
    first, second = _prepared(image, clean, space, border)
    if min(first.shape[-2:]) < 11:
        raise ValueError(f"SSIM needs 11x11 pixels, not {first.shape[-1]}x{first.shape[-2]}")
    mean1, mean2 = _blur(first), _blur(second)
    variance1, variance2 = _blur(first * first) - mean1**2, _blur(second * second) - mean2**2
    covariance = _blur(first * second) - mean1 * mean2
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean1 * mean2 + c1) * (2 * covariance + c2)
    return float((top / ((mean1**2 + mean2**2 + c1) * (variance1 + variance2 + c2))).mean())


def _prepared(image: Tensor, clean: Tensor, space: Space, border: int) -> tuple[Tensor, Tensor]:
    if image.shape != clean.shape:
        raise ValueError(f"pictures of different shapes cannot be compared: {tuple(image.shape)}, {tuple(clean.shape)}")
    pair = []
    if not 0 <= 2 * border < min(image.shape[-2:]):
        raise ValueError(f"a border of {border} leaves nothing of {image.shape[-1]}x{image.shape[-2]} pixels")
    for one in (image.double(), clean.double()):
        one = luma(one) if space == "y" else one
        pair.append(one[..., border : one.shape[-2] - border, border : one.shape[-1] - border])
    return pair[0], pair[1]


def _blur(image: Tensor) -> Tensor:
    """Convolve `b c h w` with the Gaussian window of SSIM, valid part only."""
    place = torch.arange(11, dtype=image.dtype, device=image.device) - 5
    row = torch.exp(-(place**2) / (2 * 1.5**2))
    row = row / row.sum()
    channels = image.shape[1]
    across = functional.conv2d(image, row.expand(channels, 1, 1, 11), groups=channels)
    return functional.conv2d(across, row[:, None].expand(channels, 1, 11, 1), groups=channels)
