"""What networks do before their first layer and after their last: pad and cut pictures, and add to one of them.

For authors of networks; the toolbox itself asks only that a picture of any size keeps its size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def pad_to_multiple(x: Tensor, multiple: int, mode: str = "reflect") -> Tensor:
    """Pad `b c h w` on the right and below to multiples on both sides; reflection turns to edges where too small."""
    height, width = x.shape[-2:]
    down, right = -height % multiple, -width % multiple
    if not (down or right):
        return x
    if mode == "reflect" and (down >= height or right >= width):
        mode = "replicate"
    return functional.pad(x, (0, right, 0, down), mode=mode)


def crop_to(x: Tensor, like: Tensor) -> Tensor:
    """Cut `b c h w` on the right and below to the height and width of `like`."""
    return x[..., : like.shape[-2], : like.shape[-1]]


def to_picture(conv: nn.Module, features: Tensor, like: Tensor) -> Tensor:
    """Apply the last convolution to `b c h w` and cut the answer to the size of `like`.

    Mixed precision ends here: bfloat16 would round a picture to eight bits of mantissa, which shows.
    """
    with torch.autocast(like.device.type, enabled=False):
        answer: Tensor = conv(features.to(like.dtype))
    return crop_to(answer, like)


def part_to_mend(in_channels: int, channels: int) -> slice:
    """Return the channels of the picture that a residual network adds to, out of all that it is shown.

    A network that takes only `x` is shown the picture, or on a noise path the state, then the degraded picture if the
    path has one, then a map of the time. So with more than two pictures' channels there is a degraded picture, and that
    is what is mended: it has no noise that the network would have to take out again. Otherwise it is the first picture.
    Raises `ValueError` if there are fewer channels than one picture has.
    """
    if in_channels < channels:
        raise ValueError(
            f"in_channels is {in_channels}: without a picture of {channels} channels to mend, set residual to false"
        )
    start = channels if in_channels > 2 * channels else 0
    return slice(start, start + channels)
