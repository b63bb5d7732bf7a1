"""How strong structures of each size are, in a picture and in the clean one: the power spectrum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange

from restoration.metrics import luma

if TYPE_CHECKING:
    from torch import Tensor

RINGS = 64
"""Rings of the spectrum, of equal width, from 0 to 0.5 cycles per pixel."""
HIGH = 0.15
"""Cycles per pixel above which is what is called high: structures of less than seven pixels."""
LEAST = 1e-10
"""The power, of a picture in [0, 1], below which there is nothing: a thousandth of what rounding to 8 bits adds."""


class Spectrum:
    """The error of the log power spectrum in dB; 0 for equal pictures, less is better."""

    protocol = f"error of the log power spectrum, root mean square over {RINGS} rings up to 0.5 cycles/pixel, dB, Y"

    def __call__(self, image: Tensor, clean: Tensor) -> float:
        """Return the error for `1 c h w`."""
        difference, _ = compare_spectra(image, clean)
        return float(difference.square().mean().sqrt())


class Detail:
    """How far the power of the high frequencies is from the clean picture's, more or less, in dB; less is better."""

    protocol = f"high-frequency power, above {HIGH} cycles/pixel, against the clean picture, without its sign, dB, Y"

    def __call__(self, image: Tensor, clean: Tensor) -> float:
        """Return the distance for `1 c h w`."""
        return abs(high_frequency_power(image, clean))


def high_frequency_power(image: Tensor, clean: Tensor) -> float:
    """Return the power above 0.15 cycles per pixel of `1 c h w` against the clean picture's, in dB.

    It is the mean over rings of their logarithms, so that the finest counts as much as the coarsest: -3 is half the
    power, below 0 means too smooth, above 0 too rough.
    """
    difference, frequency = compare_spectra(image, clean)
    return float(difference[frequency > HIGH].mean())


def compare_spectra(image: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many dB each ring of the spectrum of `1 c h w` is above the clean picture's, and its frequency."""
    if image.shape != clean.shape:
        raise ValueError(f"pictures of different shapes cannot be compared: {tuple(image.shape)}, {tuple(clean.shape)}")
    powers = [power_of_rings(one) for one in (image, clean)]
    known = ~powers[0].isnan()  # a small picture has not every ring
    difference = 10 * ((powers[0] + LEAST) / (powers[1] + LEAST)).log10()
    frequency = (torch.arange(RINGS, device=image.device) + 0.5) / (2 * RINGS)
    return difference[known], frequency[known]


def power_of_rings(image: Tensor) -> Tensor:
    """Return the mean power of Y of `1 c h w` in each ring, in units of pixels squared; NaN for an empty ring.

    A Hann window takes away the jump between opposite borders, which would count as detail.
    """
    y = luma(image.double())[0, 0]
    height, width = y.shape
    rows, columns = (
        torch.hann_window(side + 2, False, dtype=y.dtype, device=y.device)[1:-1] for side in (height, width)
    )
    window = rows[:, None] * columns
    y = (y - (y * window).sum() / window.sum()) * window
    power = torch.fft.fft2(y).abs().square() / window.square().sum()
    down, across = (torch.fft.fftfreq(side, dtype=y.dtype, device=y.device) for side in (height, width))
    ring = (torch.hypot(down[:, None], across) * 2 * RINGS).long().clamp(max=RINGS)
    ring[0, 0] = RINGS  # the mean of the picture is no structure: left out, as what is beyond the last ring
    ring = rearrange(ring, "h w -> (h w)")
    total, number = y.new_zeros(2, RINGS + 1)
    total.index_add_(0, ring, rearrange(power, "h w -> (h w)"))
    number.index_add_(0, ring, torch.ones_like(ring, dtype=y.dtype))
    powers: Tensor = (total / number)[:RINGS]
    return powers
