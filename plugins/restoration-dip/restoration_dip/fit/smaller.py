"""Large pictures with wide holes are fitted at a smaller size: what fills such a hole is smooth anyway."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from torch.nn.functional import adaptive_avg_pool2d, interpolate

from restoration.operators import Masking

if TYPE_CHECKING:
    from torch import Tensor

    from restoration import Observation


def shrink_masked(observation: Observation, pixels: int | None) -> Observation:
    """Return a copy of a picture with holes that has at most so many `pixels`; None is no limit.

    A pixel of the copy is the mean of the known pixels that it stands for, and is known if at least half of them are. A
    picture without holes, or with no more pixels than that, is returned unchanged.
    """
    y, operator = observation.y, observation.operator
    ratio = math.sqrt((pixels or math.inf) / (y.shape[-2] * y.shape[-1]))
    if ratio >= 1 or not isinstance(operator, Masking):
        return observation
    size = max(1, int(y.shape[-2] * ratio)), max(1, int(y.shape[-1] * ratio))
    known = operator.mask.to(y)
    share = adaptive_avg_pool2d(known, size)
    mask = (share >= 0.5).to(y)
    mean = mask * adaptive_avg_pool2d(y * known, size) / share.clamp(min=0.5)
    return replace(observation, y=mean, operator=Masking(mask), measured=None)


def fill_holes(observation: Observation, guess: Tensor) -> Tensor:
    """Fill the holes of a picture, `b c h w`, with a `guess` at the size of `shrink_masked`, enlarged.

    If `shrink_masked` left the picture unchanged, the guess itself is returned.
    """
    y, operator = observation.y, observation.operator
    if guess.shape == y.shape or not isinstance(operator, Masking):
        return guess
    large = interpolate(guess, y.shape[-2:], mode="bicubic", align_corners=False)
    return large.lerp_(y, operator.mask.to(y))
