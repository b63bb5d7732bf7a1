"""A batch norm that is fast whatever the number of channels, on the CPU."""

from __future__ import annotations

import math
from typing import Any

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LANES = 16
"""A processor works on this many numbers at once. If the channels are no multiple of it, torch's batch norm is up to
ten times slower.
"""


class BatchNorm(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`; in training, several pixels are packed together if the channels do not fill the lanes."""

    def forward(self, x: Tensor) -> Tensor:
        """Norm the channels of `b c h w`."""
        if not (self.training and _can_be_packed(x)):
            return super().forward(x)
        answer: Tensor
        answer, mean, var = _PackedBatchNorm.apply(x, self.weight, self.bias, self.eps)
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            count, momentum = x.numel() / x.shape[1], self.momentum or 0.0
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(var * (count / (count - 1)), momentum)
            self.num_batches_tracked += 1
        return answer


def _can_be_packed(x: Tensor) -> bool:
    last = x.is_contiguous(memory_format=torch.channels_last)
    together = LANES // math.gcd(x.shape[1], LANES)
    known = x.device.type == "cpu" and x.dtype != torch.float64
    return known and last and together > 1 and x.numel() // x.shape[1] % together == 0


class _PackedBatchNorm(torch.autograd.Function):
    """A batch norm of `b c h w` in channels-last memory, by the mean and variance of the batch."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        pixels = _pack(x)
        unused = torch.zeros(pixels.shape[1])  # float32, and so is what is returned, whatever the pixels are
        found = torch.batch_norm_update_stats(pixels, unused, unused.clone(), 0.0)
        means, variances = (_split_packed(one, x) for one in found)
        mean = means.mean(dim=0)
        var = (variances + (means - mean).square()).mean(dim=0)
        rate = (var + eps).rsqrt()
        ctx.save_for_backward(x, weight, mean, rate)
        ctx.mark_non_differentiable(mean, var)
        given = [_repeat_packed(one, pixels) for one in (weight, bias, mean, var)]
        answer = torch.empty_like(x)  # not a view, for what follows may work in place
        out = (_pack(answer), torch.empty(0), torch.empty(0))
        torch.native_batch_norm(pixels, given[0], given[1], given[2], given[3], False, 0.0, eps, out=out)
        return answer, mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, rate = ctx.saved_tensors
        pixels, grads = _pack(x), _pack(grad.contiguous(memory_format=torch.channels_last))
        given = [_repeat_packed(one, pixels) for one in (weight, mean, rate)]
        sums = torch.ops.aten.native_batch_norm_backward(
            grads, pixels, given[0], None, None, *given[1:], True, 0.0, [False, True, True]
        )
        along, total = (_split_packed(one, x).sum(dim=0) for one in sums[1:])
        scale, count = weight * rate, x.numel() / x.shape[1]
        of_x = -scale * rate * along / count
        factors = [
            _repeat_packed(one, pixels)[:, None, None] for one in (-scale * total / count - of_x * mean, scale, of_x)
        ]
        answer = torch.addcmul(factors[0], grads.float(), factors[1]).addcmul_(pixels.float(), factors[2])
        return _unpack(answer.to(x.dtype), x), along, total, None


def _pack(x: Tensor) -> Tensor:
    """View `b c h w` as pixels with the channels of `k` pixels each, so that they fill the lanes: `1 (k c) n 1`."""
    together = LANES // math.gcd(x.shape[1], LANES)
    flat = rearrange(x, "b c h w -> (b h w) c")
    return rearrange(flat, "(n k) c -> 1 (k c) n 1", k=together)


def _unpack(pixels: Tensor, x: Tensor) -> Tensor:
    """View packed pixels as `b c h w` again, like `x`."""
    flat = rearrange(pixels, "1 (k c) n 1 -> (n k) c", c=x.shape[1])
    return rearrange(flat, "(b h w) c -> b c h w", b=len(x), h=x.shape[2])


def _split_packed(values: Tensor, x: Tensor) -> Tensor:
    """View values of packed channels as rows, one for each of the pixels that are packed together: `k c`."""
    return rearrange(values, "(k c) -> k c", c=x.shape[1])


def _repeat_packed(values: Tensor, pixels: Tensor) -> Tensor:
    """Repeat the values of channels, `c`, for all pixels that are packed together."""
    return repeat(values, "c -> (k c)", k=pixels.shape[1] // len(values))


def concatenate(*parts: Tensor) -> Tensor:
    """Concatenate the channels of tensors `b c h w`; their gradients are channels-last, which makes the rest faster."""
    answer: Tensor = _Concatenation.apply(*parts)
    return answer


class _Concatenation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *parts: Tensor) -> Tensor:
        ctx.channels = [part.shape[1] for part in parts]
        return torch.cat(parts, dim=1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        parts = torch.split(grad, ctx.channels, dim=1)
        return tuple(part.contiguous(memory_format=torch.channels_last) for part in parts)
