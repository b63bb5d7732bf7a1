"""Sizes that a network's levels can halve, and back."""

from __future__ import annotations

from torch import Tensor
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
