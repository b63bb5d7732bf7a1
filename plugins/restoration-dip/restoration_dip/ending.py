"""From features to a picture: the last convolution, in the precision of the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn


def to_picture(conv: nn.Module, features: Tensor, like: Tensor, *, sigmoid: bool) -> Tensor:
    """Apply the last convolution to `b c h w`, cut on the right and below to the size of `like`.

    Mixed precision ends here: bfloat16 would round a picture to eight bits of mantissa, which shows.
    """
    features = features[..., : like.shape[-2], : like.shape[-1]]
    with torch.autocast(like.device.type, enabled=False):
        answer: Tensor = conv(features.to(like.dtype))
        return answer.sigmoid() if sigmoid else answer
