"""Padding: to sizes that a network can halve and its batch norms can work with, and by reflection."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def pad_to_size(x: Tensor, smallest: int, multiple: int = 1) -> Tensor:
    """Pad `b c h w` on the right and at the bottom, to sides of at least `smallest` that are multiples of `multiple`.

    The padding is a reflection, or the border repeated if the picture is too small for that. A single pixel is padded
    with zeros, since the gradient of a batch norm of constant values is not finite.
    """
    height, width = (max(-(-side // multiple), -(-smallest // multiple)) * multiple for side in x.shape[-2:])
    down, right = height - x.shape[-2], width - x.shape[-1]
    if not (down or right):
        return x
    mode = "reflect" if down < x.shape[-2] and right < x.shape[-1] else "replicate"
    return functional.pad(x, (0, right, 0, down), mode="constant" if x.shape[-2] == x.shape[-1] == 1 else mode)


def crop_middle(x: Tensor, height: int, width: int) -> Tensor:
    """Crop `b c h w` to the middle `height` and `width`."""
    top, left = (x.shape[-2] - height) // 2, (x.shape[-1] - width) // 2
    return x[..., top : top + height, left : left + width]


def pad_reflect(x: Tensor, border: int) -> Tensor:
    """Pad `b c h w`, whose sides are larger than `border`, by reflection.

    The result is that of torch, but nothing is saved for the gradient, which takes less than half the time.
    """
    padded: Tensor = _ReflectionPad.apply(x, border)
    return padded


class _ReflectionPad(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, border: int) -> Tensor:
        ctx.border = border
        return functional.pad(x, (border,) * 4, mode="reflect")

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        border: int = ctx.border
        above, inner, below = torch.split(grad, [border, grad.shape[2] - 2 * border, border], dim=2)
        answer = _fold_columns(inner, border)
        answer[:, :, 1 : border + 1] += _fold_columns(above, border).flip(2)
        answer[:, :, -border - 1 : -1] += _fold_columns(below, border).flip(2)
        return answer, None


def _fold_columns(rows: Tensor, border: int) -> Tensor:
    """Remove the left and right border, and add each of its columns to the one that it is the reflection of."""
    left, inner, right = torch.split(rows, [border, rows.shape[3] - 2 * border, border], dim=3)
    answer = inner.clone(memory_format=torch.channels_last)
    answer[..., 1 : border + 1] += left.flip(3)
    answer[..., -border - 1 : -1] += right.flip(3)
    return answer
