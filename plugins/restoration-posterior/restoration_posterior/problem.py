"""What is to be solved: a measurement, the operator that made it, how noisy it is, and where to begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from restoration.noise_level import estimate_sigma
from restoration.operators import Masking, Resampling

if TYPE_CHECKING:
    from torch import Tensor

    from restoration import Observation, Operator

ROUNDING = 0.29 / 255
"""The standard deviation of the error of a picture that is rounded to 256 levels: no picture is measured better."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A measurement `y` of an image: `y = operator(x) + sigma n`.

    `sigma` is in units of [0, 1], and `guess`, `b c h w`, is a picture that is roughly right where nothing better is
    known.
    """

    y: Tensor
    operator: Operator
    sigma: float
    guess: Tensor
    noisy: bool = False


def pose(observation: Observation, task: str, sigma: float | None) -> Problem:
    """Return the problem of a picture. `sigma` is in levels of 255, for a picture whose noise nobody knows.

    If it is None, the noise is estimated where that can be done: from a noisy or a blurred picture of full size. A
    noise that differs from pixel to pixel weights them. Raises `ValueError` if the operator is not known.
    """
    y = observation.y if observation.measured is None else observation.measured
    operator, known = observation.operator, observation.sigma
    if operator is None and task != "denoise":
        what = {"deblur": "; give the kernel of the blur, --kernel FILE"}.get(task, "")
        raise ValueError(f"it must be known how the picture was damaged{what}")
    if sigma is not None:
        known = sigma / 255
    if isinstance(known, torch.Tensor):
        known = known.clamp(min=ROUNDING)
        weight = known.min() / known
        whitened = Masking(weight if operator is None else operator.mask * weight)
        return Problem(y=y * weight, operator=whitened, sigma=float(known.min()), guess=observation.y, noisy=operator is None)
    if known is None:
        known = 0.0 if isinstance(operator, Resampling | Masking) else estimate_sigma(y)
    guess = observation.y
    if isinstance(operator, Masking):
        guess = fill(observation.y, operator.mask)
    operator = operator or Masking(torch.ones_like(y[:1, :1]))
    return Problem(y=y, operator=operator, sigma=max(known, ROUNDING), guess=guess, noisy=observation.operator is None)


def fill(y: Tensor, mask: Tensor) -> Tensor:
    """Return a picture `b c h w` whose pixels that a mask `b 1 h w` lacks are means of those around, however far."""
    mask = mask.to(y).expand(len(y), 1, *y.shape[-2:])
    if bool(mask.all()) or min(y.shape[-2:]) == 1:
        return y
    share = functional.avg_pool2d(mask, 2, ceil_mode=True, count_include_pad=False)
    mean = functional.avg_pool2d(y * mask, 2, ceil_mode=True, count_include_pad=False) / share.clamp(min=1e-6)
    coarse = fill(mean, (share > 0).to(y))
    wide = functional.interpolate(coarse, scale_factor=2, mode="bilinear")[..., : y.shape[-2], : y.shape[-1]]
    return torch.where(mask > 0, y, wide)
