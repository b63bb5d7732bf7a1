"""What is to be solved: a measurement, the operator that made it, how noisy it is, and where sampling begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from restoration.noise_level import estimate_sigma
from restoration.operators import Convolution, Masking

if TYPE_CHECKING:
    from torch import Tensor

    from restoration import Observation, Operator
    from restoration_posterior.prior import Prior

ROUNDING = 0.29 / 255
"""The standard deviation of the error of a picture that is rounded to 256 levels: no picture is measured better."""
LAST = 2.0
"""Sampling goes down to this noise, as a multiple of that of the measurement: below it, details are made of noise."""
LAST_OF_NOISY = 0.3
"""The same for a picture that is damaged by noise alone, where sampling begins at that noise."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A measurement `y` of an image: `y = operator(x) + sigma n`.

    `sigma` is in units of [0, 1]. `guess`, `b c h w`, is a picture that is roughly right where nothing better is known.
    `noisy` says that it is the measurement itself: all of the image, and noise.
    """

    y: Tensor
    operator: Operator
    sigma: float
    guess: Tensor
    noisy: bool = False

    def times(self, prior: Prior, steps: int) -> Tensor:
        """Return the times of `steps` steps from the strongest noise down, and 0."""
        first, last = (self.sigma, LAST_OF_NOISY) if self.noisy else (prior.strongest, LAST)
        return prior.times(first, last * self.sigma, steps)

    def first(self, sigma: float, noise: Tensor) -> Tensor:
        """Return the first state, with noise `sigma`: a noisy picture is one itself."""
        return self.guess if self.noisy else self.guess + sigma * noise


def pose(observation: Observation, task: str, noise: float | None) -> Problem:
    """Return the problem of a picture, `1 c h w`; `noise` is that of the picture in levels of 255, if it is known.

    If nothing is known of it, it is estimated from a picture that is noisy or blurred; others are as exact as 8 bits.
    Noise that is a map weights pixels. Raises `ValueError` if the operator is not known.
    """
    y = (observation.y if observation.measured is None else observation.measured).clone()
    operator, sigma = observation.operator, observation.sigma
    if operator is None and task != "denoise":
        hint = "; give the kernel of the blur, --kernel FILE" if task == "deblur" else ""
        raise ValueError(f"it must be known how the picture was damaged{hint}")
    if noise is not None:
        sigma = noise / 255
    if sigma is None:
        sigma = estimate_sigma(y) if operator is None or isinstance(operator, Convolution) else 0.0
    guess, noisy = observation.y.clone(), operator is None
    if isinstance(operator, Masking):
        guess = fill(guess, operator.mask)
    if isinstance(sigma, torch.Tensor):
        if not noisy:
            raise ValueError("the noise of a picture with other damage is one number, not a map")
        sigma = sigma.clamp(min=ROUNDING)
        least = float(sigma.min())
        weight = least / sigma
        return Problem(y=y * weight, operator=Masking(weight), sigma=least, guess=guess)
    operator = operator or Masking(torch.ones_like(y[:, :1]))
    return Problem(y=y, operator=operator, sigma=max(float(sigma), ROUNDING), guess=guess, noisy=noisy)


def fill(y: Tensor, mask: Tensor) -> Tensor:
    """Return a picture `b c h w` in which pixels where a mask `b 1 h w` is 0 are means of those around, however far."""
    mask = mask.to(y).expand(len(y), 1, *y.shape[-2:])
    if bool(mask.all()) or max(y.shape[-2:]) == 1:
        return y
    share, mean = (functional.avg_pool2d(one, 2, ceil_mode=True, count_include_pad=False) for one in (mask, y * mask))
    coarse = fill(mean / share.clamp(min=1e-6), (share > 0).to(y))
    wide = functional.interpolate(coarse, size=y.shape[-2:], mode="bilinear")
    return torch.where(mask > 0, y, wide)
