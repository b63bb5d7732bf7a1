"""A batch norm that is fast whatever the number of channels, on the CPU."""

from __future__ import annotations

import math
from typing import Any

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LANES = 16
"""Numbers that a processor works on at once: torch's batch norm is up to ten times slower on channels in between."""


class BatchNorm(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`; in training, channels that do not fill the lanes are normed several pixels at a time."""

    def forward(self, x: Tensor) -> Tensor:
        """Norm the channels of `b c h w`."""
        if not (self.training and _is_thin(x)):
            return super().forward(x)
        answer: Tensor
        answer, mean, var = _Thin.apply(x, self.weight, self.bias, self.eps)
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            count, momentum = x.numel() / x.shape[1], self.momentum or 0.0
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(var * (count / (count - 1)), momentum)
            self.num_batches_tracked += 1
        return answer


def _is_thin(x: Tensor) -> bool:
    last = x.is_contiguous(memory_format=torch.channels_last)
    together = LANES // math.gcd(x.shape[1], LANES)
    known = x.device.type == "cpu" and x.dtype != torch.float64
    return known and last and together > 1 and x.numel() // x.shape[1] % together == 0


class _Thin(torch.autograd.Function):
    """A batch norm of `b c h w`, whose channels come last in memory, by the mean and variance of what is given."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        pixels = _wide(x)
        unused = torch.zeros(pixels.shape[1])  # float32, and so is what is returned, whatever the pixels are
        found = torch.batch_norm_update_stats(pixels, unused, unused.clone(), 0.0)
        means, variances = (_each(one, x) for one in found)
        mean = means.mean(dim=0)
        var = (variances + (means - mean).square()).mean(dim=0)
        rate = (var + eps).rsqrt()
        ctx.save_for_backward(x, weight, mean, rate)
        ctx.mark_non_differentiable(mean, var)
        given = [_spread(one, pixels) for one in (weight, bias, mean, var)]
        answer = torch.empty_like(x)  # not a view, for what follows may work in place
        out = (_wide(answer), torch.empty(0), torch.empty(0))
        torch.native_batch_norm(pixels, given[0], given[1], given[2], given[3], False, 0.0, eps, out=out)
        return answer, mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, rate = ctx.saved_tensors
        pixels, grads = _wide(x), _wide(grad.contiguous(memory_format=torch.channels_last))
        given = [_spread(one, pixels) for one in (weight, mean, rate)]
        sums = torch.ops.aten.native_batch_norm_backward(
            grads, pixels, given[0], None, None, *given[1:], True, 0.0, [False, True, True]
        )
        along, total = (_each(one, x).sum(dim=0) for one in sums[1:])
        scale, count = weight * rate, x.numel() / x.shape[1]
        of_x = -scale * rate * along / count
        factors = [_spread(one, pixels)[:, None, None] for one in (-scale * total / count - of_x * mean, scale, of_x)]
        answer = torch.addcmul(factors[0], grads.float(), factors[1]).addcmul_(pixels.float(), factors[2])
        return _narrow(answer.to(x.dtype), x), along, total, None


def _wide(x: Tensor) -> Tensor:
    """View `b c h w` as pixels of so many times the channels that they fill the lanes, `1 c n 1`."""
    together = LANES // math.gcd(x.shape[1], LANES)
    flat = rearrange(x, "b c h w -> (b h w) c")
    return rearrange(flat, "(n k) c -> 1 (k c) n 1", k=together)


def _narrow(pixels: Tensor, x: Tensor) -> Tensor:
    """View such pixels as they were, like `x`."""
    flat = rearrange(pixels, "1 (k c) n 1 -> (n k) c", c=x.shape[1])
    return rearrange(flat, "(b h w) c -> b c h w", b=len(x), h=x.shape[2])


def _each(values: Tensor, x: Tensor) -> Tensor:
    """View values of such channels as rows, one for each pixel that was taken together, `k c`."""
    return rearrange(values, "(k c) -> k c", c=x.shape[1])


def _spread(values: Tensor, pixels: Tensor) -> Tensor:
    """Repeat values of channels, `c`, for all pixels that are taken together."""
    return repeat(values, "c -> (k c)", k=pixels.shape[1] // len(values))


def joined(*parts: Tensor) -> Tensor:
    """Join the channels of `b c h w` each; their gradients are laid out as they are, on which the rest is faster."""
    answer: Tensor = _Joined.apply(*parts)
    return answer


class _Joined(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *parts: Tensor) -> Tensor:
        ctx.channels = [part.shape[1] for part in parts]
        return torch.cat(parts, dim=1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        parts = torch.split(grad, ctx.channels, dim=1)
        return tuple(part.contiguous(memory_format=torch.channels_last) for part in parts)
