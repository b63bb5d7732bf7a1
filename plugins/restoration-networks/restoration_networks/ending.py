"""From features to a picture: the last convolution, in the precision of the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from restoration_networks.padding import crop_to

if TYPE_CHECKING:
    from torch import Tensor, nn


def to_picture(conv: nn.Module, features: Tensor, like: Tensor) -> Tensor:
    """Apply the last convolution to `b c h w` and cut the answer to the size of `like`.

    Mixed precision ends here: bfloat16 would round a picture to eight bits of mantissa, which shows.
    """
    with torch.autocast(like.device.type, enabled=False):
        answer: Tensor = conv(features.to(like.dtype))
    return crop_to(answer, like)
