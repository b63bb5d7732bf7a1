"""Wide holes of a large picture, filled in a smaller one: what goes on in them is smooth, and done in fewer pixels."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from torch.nn.functional import adaptive_avg_pool2d, interpolate

from restoration.operators import Masking

if TYPE_CHECKING:
    from torch import Tensor

    from restoration import Observation


def shrunk(observation: Observation, pixels: int | None) -> Observation:
    """Return a picture with holes in a smaller copy of at most so many pixels; what has fewer, or no holes, as it is.

    Only what is known counts in a mean; it is known in turn if at least half of its pixels are.
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


def filled(observation: Observation, guess: Tensor) -> Tensor:
    """Return a picture, `b c h w`, whose holes are filled from a `guess` at what `shrunk` made of it.

    Returns the guess where nothing was shrunk.
    """
    y, operator = observation.y, observation.operator
    if guess.shape == y.shape or not isinstance(operator, Masking):
        return guess
    large = interpolate(guess, y.shape[-2:], mode="bicubic", align_corners=False)
    return large.lerp_(y, operator.mask.to(y))
