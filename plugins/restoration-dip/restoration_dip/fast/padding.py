"""Sizes that a network's levels can halve, and its batch norms can learn from; and borders that are mirrored."""

from __future__ import annotations

from typing import Any

import torch
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


def mirrored(x: Tensor, border: int) -> Tensor:
    """Pad `b c h w`, whose sides are larger than `border`, by reflection.

    As torch does it, but nothing is kept for the gradient, which takes less than half of the time.
    """
    padded: Tensor = _Mirrored.apply(x, border)
    return padded


class _Mirrored(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, border: int) -> Tensor:
        ctx.border = border
        return functional.pad(x, (border,) * 4, mode="reflect")

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        border: int = ctx.border
        above, inner, below = torch.split(grad, [border, grad.shape[2] - 2 * border, border], dim=2)
        answer = _folded(inner, border)
        answer[:, :, 1 : border + 1] += _folded(above, border).flip(2)
        answer[:, :, -border - 1 : -1] += _folded(below, border).flip(2)
        return answer, None


def _folded(rows: Tensor, border: int) -> Tensor:
    """Cut the border off rows, and add each column of it to the one that it mirrors."""
    left, inner, right = torch.split(rows, [border, rows.shape[3] - 2 * border, border], dim=3)
    answer = inner.clone(memory_format=torch.channels_last)
    answer[..., 1 : border + 1] += left.flip(3)
    answer[..., -border - 1 : -1] += right.flip(3)
    return answer
