"""What networks do before their first layer and after their last: pad and crop pictures, and add the residual.

For authors of networks. The toolbox itself only asks that pictures of any size keep their size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def pad_to_multiple(x: Tensor, multiple: int, mode: str = "reflect") -> Tensor:
    """Pad `b c h w` on the right and at the bottom to sides that are multiples of `multiple`.

    Reflection is replaced by repetition of the border if the picture is too small for it.
    """
    height, width = x.shape[-2:]
    down, right = -height % multiple, -width % multiple
    if not (down or right):
        return x
    if mode == "reflect" and (down >= height or right >= width):
        mode = "replicate"
    return functional.pad(x, (0, right, 0, down), mode=mode)


def crop_to(x: Tensor, like: Tensor) -> Tensor:
    """Crop `b c h w` on the right and at the bottom to the height and width of `like`."""
    return x[..., : like.shape[-2], : like.shape[-1]]


def enlargement(large: Tensor, small: Tensor) -> int:
    """Return how many times larger one of two pictures `b c h w` is: the least whole number that leaves nothing out.

    A picture whose sides are no multiples of the scale is made smaller to sides that are rounded up.
    """
    return max(-(-a // b) for a, b in zip(large.shape[-2:], small.shape[-2:], strict=True))


def to_picture(conv: nn.Module, features: Tensor, like: Tensor) -> Tensor:
    """Apply the last convolution to `b c h w`, and crop the output to the size of `like`.

    Mixed precision ends here: bfloat16 has 8 bits of mantissa, which is visible in a picture.
    """
    with torch.autocast(like.device.type, enabled=False):
        answer: Tensor = conv(features.to(like.dtype))
    return crop_to(answer, like)


def part_to_mend(in_channels: int, channels: int) -> slice:
    """Return which channels of the input are the picture that a residual network adds to.

    The input of a network that takes only `x` is the picture; or, on a noise path, the state, then the degraded picture
    if the path has one, then a map of the time. So with more channels than two pictures have, there is a degraded
    picture, and that is the one: it has no noise that the network would have to remove again. Else it is the first
    picture. Raises `ValueError` if there are fewer channels than a picture has.
    """
    if in_channels < channels:
        raise ValueError(
            f"in_channels is {in_channels}: without a picture of {channels} channels to mend, set residual to false"
        )
    start = channels if in_channels > 2 * channels else 0
    return slice(start, start + channels)
