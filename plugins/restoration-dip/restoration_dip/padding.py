"""Sizes that a network's levels can halve, and its batch norms can learn from."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def grown(x: Tensor, smallest: int, multiple: int = 1) -> Tensor:
    """Pad `b c h w` on the right and below until both sides are at least `smallest` and multiples of `multiple`.

    The picture is mirrored; where it is too small for that, its edge goes on; around a single pixel are zeros, since
    gradients through batch norms of what does not vary are not finite.
    """
    height, width = (max(-(-side // multiple), -(-smallest // multiple)) * multiple for side in x.shape[-2:])
    down, right = height - x.shape[-2], width - x.shape[-1]
    if not (down or right):
        return x
    mode = "reflect" if down < x.shape[-2] and right < x.shape[-1] else "replicate"
    return functional.pad(x, (0, right, 0, down), mode="constant" if x.shape[-2] == x.shape[-1] == 1 else mode)


def middle(x: Tensor, height: int, width: int) -> Tensor:
    """Cut the middle `height` and `width` out of `b c h w`."""
    top, left = (x.shape[-2] - height) // 2, (x.shape[-1] - width) // 2
    return x[..., top : top + height, left : left + width]
