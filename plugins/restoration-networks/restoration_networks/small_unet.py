"""The U-Net of DDPM for small pictures: group norms, and attention of all pixels to all at the smallest size."""

from __future__ import annotations

import math
from itertools import pairwise, zip_longest
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import pad_to_multiple, to_picture
from restoration_networks.attention import FullAttention
from restoration_networks.initial import zero_module
from restoration_networks.norm import GroupNorm
from restoration_networks.time import SinusoidalEmbedding


class ResidualBlock(nn.Module):
    """Two convolutions, each after a group norm and SiLU, and a shortcut; the time scales and shifts the second norm.

    The last convolution is zero at first, so that a block begins as its shortcut.
    """

    def __init__(self, inner: int, outer: int, time_channels: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = _make_norm(inner), nn.Conv2d(inner, outer, 3, padding=1)
        self.time = nn.Linear(time_channels, 2 * outer)
        self.norm2, self.conv2 = _make_norm(outer), nn.Conv2d(outer, outer, 3, padding=1)
        self.shortcut = nn.Identity() if inner == outer else nn.Conv2d(inner, outer, 1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map `b c h w` to `b d h w`; `time` is the embedding, `b t`, or `1 t` for all."""
        scale, shift = rearrange(self.time(time), "b (two c) -> two b c 1 1", two=2)
        features = self.conv1(functional.silu(self.norm1(x)))
        features = self.conv2(functional.silu(self.norm2(features) * (1 + scale) + shift))
        answer: Tensor = features + self.shortcut(x)
        return answer


class Attention(nn.Module):
    """Softmax attention after a group norm, and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm, self.attention = _make_norm(channels), FullAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        answer: Tensor = x + self.attention(self.norm(x))
        return answer


class SmallUNet(nn.Module):
    """The U-Net of DDPM (Ho et al. 2020, appendix B) for pictures such as those of Fashion-MNIST: 0.9 million weights.

    The time scales and shifts the features of every block (Nichol and Dhariwal, arXiv:2102.09672, section 3.4).
    Pictures of any size are padded to what the levels can halve: 28x28 has 7x7 at the third, without padding.

    * `in_channels`, `channels`: the channels of the input and of pictures.
    * `width`: the channels at full size.
    * `multipliers`: the channels of each level as multiples of them; each has half the size of the one before.
    * `blocks`: the number of residual blocks of each level, on the way down and on the way up.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        channels: int = 3,
        width: int = 32,
        multipliers: tuple[int, ...] = (1, 2, 2),
        blocks: int = 1,
    ) -> None:
        super().__init__()
        if width < 4 or width % 2 or not multipliers or min(*multipliers, blocks) < 1:
            given = f"{width}, {multipliers} and {blocks}"
            raise ValueError(f"width must be even and at least 4, multipliers and blocks at least 1, not {given}")
        self.multiple = 2 ** (len(multipliers) - 1)
        time = 4 * width
        self.time = nn.Sequential(
            SinusoidalEmbedding(width), nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time), nn.SiLU()
        )
        widths = [width * multiplier for multiplier in multipliers]
        steps = list(pairwise(widths))
        self.intro = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(_make_level(c, c, blocks, time) for c in widths)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in steps)
        deepest = widths[-1]
        self.before = ResidualBlock(deepest, deepest, time)
        self.attention = Attention(deepest)
        self.after = ResidualBlock(deepest, deepest, time)
        self.decoders = nn.ModuleList(_make_level(2 * c, c, blocks, time) for c in reversed(widths))
        self.ups = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in reversed(steps))
        self.norm = _make_norm(widths[0])
        self.ending = zero_module(nn.Conv2d(widths[0], channels, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Predict from the state `x`, `b c h w`, at times `t` in [0, 1], `b` or `1`: `b c h w`."""
        time = self.time(t)
        features = pad_to_multiple(x, self.multiple).contiguous(memory_format=torch.channels_last)
        features, skips = self.intro(features), []
        for level, down in zip_longest(self.encoders, self.downs):
            for block in cast("nn.ModuleList", level):
                features = block(features, time)
                skips.append(features)
            features = features if down is None else down(features)
        features = self.after(self.attention(self.before(features, time)), time)
        for level, up in zip_longest(self.decoders, self.ups):
            for block in cast("nn.ModuleList", level):
                features = block(torch.cat([features, skips.pop()], dim=1), time)
            features = features if up is None else up(functional.interpolate(features, scale_factor=2.0))
        return to_picture(self.ending, functional.silu(self.norm(features)), x)


def _make_level(inner: int, outer: int, blocks: int, time: int) -> nn.ModuleList:
    return nn.ModuleList(ResidualBlock(inner, outer, time) for _ in range(blocks))


def _make_norm(channels: int) -> GroupNorm:
    """Return a norm of 8 groups, of fewer if they had less than two channels each."""
    return GroupNorm(math.gcd(8, channels // 2), channels)
