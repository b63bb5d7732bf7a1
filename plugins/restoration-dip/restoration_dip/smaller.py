"""Wide holes of a large picture, filled in a smaller one: what goes on in them is smooth, and done in fewer pixels."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from torch.nn.functional import avg_pool2d, interpolate

from restoration.operators import Masking

if TYPE_CHECKING:
    from torch import Tensor

    from restoration import Observation


def shrunk(observation: Observation, pixels: int | None) -> Observation:
    """Return a picture with holes, made smaller by a whole number until it has at most so many pixels.

    Only what is known counts in a mean; it is known in turn if at least half of its pixels are. Returns what is no
    larger, or has no holes, as it is.
    """
    operator, area = observation.operator, observation.y.shape[-2] * observation.y.shape[-1]
    if pixels is None or area <= pixels or not isinstance(operator, Masking):
        return observation
    factor = math.ceil(math.sqrt(area / pixels))
    known = operator.mask.to(observation.y)
    share = avg_pool2d(known, factor, ceil_mode=True)
    mean = avg_pool2d(observation.y * known, factor, ceil_mode=True) / share.clamp(min=1e-6)
    mask = (share >= 0.5).to(mean)
    return replace(observation, y=mean * mask, operator=Masking(mask), measured=None)


def filled(observation: Observation, guess: Tensor) -> Tensor:
    """Return a picture, `b c h w`, whose holes are filled from a `guess` at what `shrunk` made of it.

    Returns the guess where nothing was shrunk.
    """
    y, operator = observation.y, observation.operator
    if guess.shape == y.shape or not isinstance(operator, Masking):
        return guess
    factor = max(-(-large // small) for large, small in zip(y.shape[-2:], guess.shape[-2:], strict=True))
    large = interpolate(guess, scale_factor=factor, mode="bicubic", align_corners=False)
    return large[..., : y.shape[-2], : y.shape[-1]].lerp_(y, operator.mask.to(y))
