"""A batch norm that is fast where channels are few, on the CPU."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

LANES = 16
"""Numbers that a processor works on at once: torch's batch norm is up to ten times slower on channels in between."""


class BatchNorm(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, with its parameters, of tensors that are joined, or of one.

    What is joined is normed part by part, each as fast as its own channels allow: 16 channels of 512x512 beside 4 take
    a sixth of the time of the 20.
    """

    def forward(self, *parts: Tensor) -> Tensor:
        """Norm the channels of all parts, `b c h w` each, and join them, `b (c of all) h w`."""
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        ends = [*accumulate(part.shape[1] for part in parts)]
        normed = [self._part(x, slice(end - x.shape[1], end)) for x, end in zip(parts, ends, strict=True)]
        joined: Tensor = normed[0] if len(normed) == 1 else _Joined.apply(*normed)
        return joined

    def _part(self, x: Tensor, own: slice) -> Tensor:
        named = (self.running_mean, self.running_var, self.weight, self.bias)
        mean, var, weight, bias = (None if one is None else one[own] for one in named)
        if len(self.weight) > x.shape[1] and mean is not None and var is not None:
            mean, var = mean.data, var.data  # each part changes its own, and none needs them for its gradient
        momentum = 0.0 if self.momentum is None else self.momentum
        if mean is None or var is None or not self.training or not _is_thin(x):
            return functional.batch_norm(x, mean, var, weight, bias, self.training, momentum, self.eps)
        answer: Tensor
        answer, x_mean, x_var = _Thin.apply(x, weight, bias, self.eps)
        count = x.numel() / x.shape[1]
        mean.lerp_(x_mean, momentum)
        var.lerp_(x_var * (count / (count - 1)), momentum)
        return answer


def _is_thin(x: Tensor) -> bool:
    many = _together(x.shape[1])
    last = x.is_contiguous(memory_format=torch.channels_last)
    return x.device.type == "cpu" and many > 1 and last and x.numel() // x.shape[1] % many == 0


def _together(channels: int) -> int:
    """How many pixels have channels enough, together, to fill a processor's lanes."""
    return LANES // math.gcd(channels, LANES)


class _Thin(torch.autograd.Function):
    """A batch norm of `b c h w`, whose channels come last in memory, by the mean and variance of what is given.

    Pixels that follow each other are taken together. Only what is given is kept for the gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        rows = _rows(x).float()
        centred = rows - _spread(mean := _mean(rows, x), rows)
        rate = ((var := _mean(centred.square(), x)) + eps).rsqrt()
        ctx.save_for_backward(x, weight, mean, rate)
        answer = torch.addcmul(_spread(bias, rows), centred, _spread(weight * rate, rows))
        ctx.mark_non_differentiable(mean, var)
        return _picture(answer, x), mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, rate = ctx.saved_tensors
        rows, grads = _rows(x).float(), _rows(grad.contiguous(memory_format=torch.channels_last)).float()
        normed = torch.addcmul(_spread(-mean * rate, rows), rows, _spread(rate, rows))
        along, all_of_it = _mean(grads * normed, x), _mean(grads, x)
        scale = weight * rate
        answer = torch.addcmul(_spread(-scale * all_of_it, rows), grads, _spread(scale, rows))
        answer.addcmul_(normed, _spread(-scale * along, rows))
        count = x.numel() / x.shape[1]
        return _picture(answer, x), along * count, all_of_it * count, None


def _rows(x: Tensor) -> Tensor:
    """View `b c h w` as rows of as many pixels as are taken together."""
    channels = x.shape[1]
    return rearrange(x, "b c h w -> (b h w) c").view(-1, _together(channels) * channels)


def _picture(rows: Tensor, x: Tensor) -> Tensor:
    """Return rows as a tensor like `x`, `b c h w`: not as a view, for what follows may work in place."""
    answer = torch.empty_like(x)
    _rows(answer).copy_(rows)
    return answer


def _mean(rows: Tensor, x: Tensor) -> Tensor:
    """Return the mean over all pixels of rows, `c`."""
    channels = x.shape[1]
    return rows.sum(dim=0).reshape(-1, channels).sum(dim=0) / (x.numel() / channels)


def _spread(values: Tensor, rows: Tensor) -> Tensor:
    """Repeat a value of each channel, `c`, for all pixels of a row."""
    return values.repeat(rows.shape[1] // len(values))


class _Joined(torch.autograd.Function):
    """Joins channels; the gradients of the parts are laid out as the parts were, on which the rest is faster."""

    @staticmethod
    def forward(ctx: Any, *parts: Tensor) -> Tensor:
        ctx.channels = [part.shape[1] for part in parts]
        return torch.cat(parts, dim=1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        parts = torch.split(grad, ctx.channels, dim=1)
        return tuple(part.contiguous(memory_format=torch.channels_last) for part in parts)
