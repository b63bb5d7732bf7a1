"""The embedding of the time as a vector of sines, and how it scales and shifts features."""

from __future__ import annotations

import math

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional


class SinusoidalEmbedding(nn.Module):
    """Maps times `b` to `b c`, the first half sines and the second cosines (Vaswani et al., 2017, section 3.5).

    `scale` converts a time in [0, 1] to the unit that the network was trained with.
    """

    def __init__(self, channels: int, scale: float = 1000.0) -> None:
        super().__init__()
        self.channels = channels
        self.scale = scale

    def forward(self, t: Tensor) -> Tensor:
        """Map `b`, or a scalar, to `b c`, in float32 whatever the precision of the context."""
        half = self.channels // 2
        exponents = torch.arange(half, device=t.device, dtype=torch.float32) / (half - 1)
        angles = (t.float() * self.scale).reshape(-1, 1) * torch.exp(-math.log(10000.0) * exponents)
        return torch.cat([angles.sin(), angles.cos()], dim=1)


def modulate(conv: nn.Conv2d, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Return `conv(x * (1 + scale) + shift)` for a 1x1 convolution; one time for all is folded into its weights."""
    if scale.shape[0] > 1:
        answer: Tensor = conv(x * (1 + rearrange(scale, "b c -> b c 1 1")) + rearrange(shift, "b c -> b c 1 1"))
        return answer
    weight = conv.weight * (1 + rearrange(scale, "1 c -> 1 c 1 1"))
    assert conv.bias is not None
    bias = conv.bias + conv.weight[:, :, 0, 0] @ shift[0]
    return functional.conv2d(x, weight, bias)
