"""Where on the path a network is: the time as a vector of sines."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class SinusoidalEmbedding(nn.Module):
    """Times `b` to `b c`, the first half sines and the second cosines (Vaswani et al., 2017, section 3.5).

    `scale` turns a time in [0, 1] into the unit that the network was trained with.
    """

    def __init__(self, channels: int, scale: float = 1000.0) -> None:
        super().__init__()
        self.channels = channels
        self.scale = scale

    def forward(self, t: Tensor) -> Tensor:
        """Map `b`, or a scalar, to `b c`, in float32 whatever the precision around it."""
        half = self.channels // 2
        exponents = torch.arange(half, device=t.device, dtype=torch.float32) / (half - 1)
        angles = (t.float() * self.scale).reshape(-1, 1) * torch.exp(-math.log(10000.0) * exponents)
        return torch.cat([angles.sin(), angles.cos()], dim=1)
