"""How close a picture is to another: PSNR, SSIM and MS-SSIM, each under the convention shown with its numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, get_args

import torch
from einops import reduce
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

Space = Literal["rgb", "y"]
WINDOW, SIGMA = 11, 1.5
"""The side of the Gaussian window of SSIM and its standard deviation, in pixels (Wang et al., 2004)."""
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The exponents of the scales of MS-SSIM, the finest first (Wang, Simoncelli, Bovik, 2003, section 4)."""
SMALLEST_MS_SSIM = (WINDOW - 1) * 2 ** (len(SCALES) - 1) + 1
"""The smallest side, 161, for which the window fits into the coarsest scale."""
LARGEST = 16.0
"""A larger value is taken for a level of 255, not for a value in [0, 1] with noise."""
SMALL = 1e-8
"""Added to mean squares before the logarithm, so that its gradient at 0 is finite: it bounds the PSNR by 80 dB."""


def decibels(squares: Tensor) -> Tensor:
    """Return mean squared errors of any shape in dB: the negative PSNR, as a loss, with a finite gradient at 0."""
    return 10 * torch.log10(squares + SMALL)


def luma(image: Tensor) -> Tensor:
    """Return Y of `b 3 h w` in [0, 1] as MATLAB's rgb2ycbcr gives it, in float: `b 1 h w` in [16, 235] / 255."""
    if image.shape[1] == 1:
        return image
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=image.dtype, device=image.device)
    return (torch.einsum("bchw,c->bhw", image, weights)[:, None] + 16) / 255


def psnr(image: Tensor, clean: Tensor, *, space: Space = "rgb", border: int = 0) -> float:
    """Return the peak signal-to-noise ratio in dB of pictures `1 c h w` in [0, 1], peak 1; infinity for equal ones.

    `space` "y" is the convention of MATLAB and BasicSR. Raises `ValueError` for another space than these, for a batch,
    for different shapes, for values that are not in [0, 1], or for a border that leaves nothing.
    """
    first, second = _prepare(image, clean, space, border)
    error = float((first - second).square().mean())
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(image: Tensor, clean: Tensor, *, space: Space = "rgb", border: int = 0) -> float:
    """Return the structural similarity (Wang et al., 2004) of pictures `1 c h w` in [0, 1], averaged over the channels.

    The window is a Gaussian of 11x11 pixels with sigma 1.5, only where it lies inside the picture, in float64, as in
    MATLAB and BasicSR. Raises `ValueError` for different shapes or pictures of less than 11 pixels a side.
    """
    first, second = _prepare(image, clean, space, border)
    if min(first.shape[-2:]) < WINDOW:
        raise ValueError(f"SSIM needs {WINDOW}x{WINDOW} pixels, not {first.shape[-1]}x{first.shape[-2]}")
    similarity, _ = _similarity(first, second)
    return float(similarity.mean())


def ms_ssim(image: Tensor, clean: Tensor, *, space: Space = "rgb", border: int = 0) -> float:
    """Return the multi-scale structural similarity of pictures `1 c h w` in [0, 1], averaged over the channels.

    It is the product of contrast and structure at five scales and the luminance at the coarsest (Wang, Simoncelli,
    Bovik, 2003, equation 7). A scale is the one before, halved by means of 2x2 pixels, with the last row or column
    repeated if the number is odd. Negative terms count as 0. Raises `ValueError` for different shapes or less than 161
    pixels a side.
    """
    first, second = _prepare(image, clean, space, border)
    if min(first.shape[-2:]) < SMALLEST_MS_SSIM:
        size = f"{first.shape[-1]}x{first.shape[-2]}"
        raise ValueError(f"MS-SSIM needs {SMALLEST_MS_SSIM} pixels a side, not {size}")
    product = torch.ones_like(first[0, :, 0, 0])
    for number, exponent in enumerate(SCALES):
        if number:
            first, second = _halve(first), _halve(second)
        similarity, structure = _similarity(first, second)
        term = similarity if number == len(SCALES) - 1 else structure
        product = product * term[0].clamp(min=0) ** exponent
    return float(product.mean())


def _similarity(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return SSIM and its contrast-structure part for `b c h w`, averaged over the windows: `b c` each."""
    mean1, mean2 = _blur(first), _blur(second)
    variance1, variance2 = _blur(first * first) - mean1**2, _blur(second * second) - mean2**2
    covariance = _blur(first * second) - mean1 * mean2
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean1 * mean2 + c1) / (mean1**2 + mean2**2 + c1)
    structure = (2 * covariance + c2) / (variance1 + variance2 + c2)
    return reduce(luminance * structure, "b c h w -> b c", "mean"), reduce(structure, "b c h w -> b c", "mean")


def _halve(image: Tensor) -> Tensor:
    """Average 2x2 pixels of `b c h w`."""
    height, width = image.shape[-2:]
    return functional.avg_pool2d(functional.pad(image, (0, width % 2, 0, height % 2), mode="replicate"), 2)


def _prepare(image: Tensor, clean: Tensor, space: Space, border: int) -> tuple[Tensor, Tensor]:
    """Return both pictures in a colour space and in float64, `1 c h w`, without a border. Raises `ValueError`."""
    known = _known_space(space)
    for one in (image, clean):
        _check_picture(one)
    if image.shape != clean.shape:
        raise ValueError(f"pictures of different shapes cannot be compared: {tuple(image.shape)}, {tuple(clean.shape)}")
    if not 0 <= 2 * border < min(image.shape[-2:]):
        raise ValueError(f"a border of {border} leaves nothing of {image.shape[-1]}x{image.shape[-2]} pixels")
    pair = []
    for one in (image.double(), clean.double()):
        one = luma(one) if known == "y" else one
        pair.append(one[..., border : one.shape[-2] - border, border : one.shape[-1] - border])
    return pair[0], pair[1]


def _known_space(space: str) -> str:
    """Return the name of a colour space in small letters. Raises `ValueError` for one that is not known."""
    known = get_args(Space)
    if not isinstance(space, str) or space.lower() not in known:
        raise ValueError(f"the space must be {' or '.join(known)}, not {space!r}")
    return space.lower()


def _check_picture(image: Tensor) -> None:
    """Raise `ValueError` for what cannot be one picture in [0, 1]: noise may lie a little outside, levels far.

    Of a batch the error of all pixels would be measured, whose PSNR is not the mean of those of its pictures.
    """
    if not isinstance(image, torch.Tensor):
        raise ValueError(f"pictures are tensors 1 c h w of floats in [0, 1], not {type(image).__name__}")
    if image.ndim != 4 or len(image) != 1:
        raise ValueError(f"pictures are tensors 1 c h w, one at a time, not {tuple(image.shape)}")
    if not image.is_floating_point():
        raise ValueError(f"pictures are of floats in [0, 1], not of {str(image.dtype).removeprefix('torch.')}")
    low, high = (float(one) for one in torch.aminmax(image.detach())) if image.numel() else (0.0, 0.0)
    if low < -LARGEST or high > LARGEST:
        raise ValueError(f"pictures are in [0, 1], not from {low:g} to {high:g}; divide levels by 255")


def _blur(image: Tensor) -> Tensor:
    """Convolve `b c h w` with the Gaussian window of SSIM, only where it lies inside."""
    offset = torch.arange(WINDOW, dtype=image.dtype, device=image.device) - WINDOW // 2
    row = torch.exp(-(offset**2) / (2 * SIGMA**2))
    row = row / row.sum()
    channels = image.shape[1]
    across = functional.conv2d(image, row.expand(channels, 1, 1, WINDOW), groups=channels)
    return functional.conv2d(across, row[:, None].expand(channels, 1, WINDOW, 1), groups=channels)
