"""The U-Net of denoising-diffusion-pytorch (lucidrains, MIT), in the forms that it has had since version 0.32.

Its blocks normalise by group norms until version 1.11, by root mean squares since 2.0; `attention` tells versions
before 1.7 from later ones. Modules are named and numbered as there.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal, cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import pad_to_multiple, to_picture
from restoration_ddpm.networks.attention import FullAttention, GainNorm, LinearAttention, Norm
from restoration_ddpm.networks.parts import UNet, check_widths, embed
from restoration_ddpm.schedules import log_snr

BlockNorm = Literal["rms", "group"]
Told = Literal["step", "snr-linear", "snr-cosine"]

BYTES, BYTES_A_CHANNEL = 2800, 60
"""The bytes that an evaluation needs for each pixel, and for each channel of its width, in float32; measured."""


class Block(nn.Module):
    """A 3x3 convolution, a norm, scaled and shifted by the time if one is given, and SiLU."""

    def __init__(self, inner: int, outer: int, norm: BlockNorm, groups: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inner, outer, 3, padding=1)
        self.norm = GainNorm(outer) if norm == "rms" else nn.GroupNorm(groups, outer)

    def forward(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """Map `b c h w` to `b d h w`; `scale` and `shift` are `b d 1 1`, or `1 d 1 1` for all."""
        x = self.norm(self.proj(x))
        if scale is not None and shift is not None:
            x = x * (1 + scale) + shift
        return functional.silu(x)


class ResidualBlock(nn.Module):
    """Two blocks, of which the first is conditioned on the time, and a shortcut."""

    def __init__(self, inner: int, outer: int, time: int, norm: BlockNorm, groups: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time, 2 * outer))
        self.block1, self.block2 = Block(inner, outer, norm, groups), Block(outer, outer, norm, groups)
        self.res_conv = nn.Identity() if inner == outer else nn.Conv2d(inner, outer, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map `b c h w` to `b d h w`; `time` is the embedding, `b t`, or `1 t` for all."""
        scale, shift = rearrange(self.mlp(time), "b (two c) -> two b c 1 1", two=2)
        changed: Tensor = self.block2(self.block1(x, scale, shift)) + self.res_conv(x)
        return changed


class Waves(nn.Module):
    """The sinusoidal embedding of the numbers of steps, `b`, as `b channels`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, steps: Tensor) -> Tensor:
        """Map `b` to `b channels`."""
        return embed(steps, self.channels)


class LearnedWaves(nn.Module):
    """Fourier features of learned frequencies: the numbers themselves, and the sines and cosines of their multiples."""

    def __init__(self, waves: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(waves))

    def forward(self, times: Tensor) -> Tensor:
        """Map `b` to `b c`."""
        numbers = rearrange(times, "b -> b 1")
        angles = 2 * math.pi * numbers * self.weights
        return torch.cat([numbers, angles.sin(), angles.cos()], dim=1)


class LucidrainsUNet(UNet):
    """The U-Net of denoising-diffusion-pytorch: two residual blocks and attention at every level.

    * `in_channels`, `channels`: the channels of the input and of pictures.
    * `width`: the channels that those of all levels are multiples of.
    * `first`: the channels after the first convolution; 0 for `width`.
    * `multipliers`: the channels that each level hands to the next, as multiples of `width`.
    * `full`: the levels with full attention, counted from 0, or from -1 at the smallest; others have linear attention.
    * `heads`, `head_channels`: of the attention of each level; one number is that of all.
    * `memory`: the learned keys and values of each head: 4 since version 1.9, 0 before.
    * `norm`, `groups`: of the blocks: "rms", or "group" in that many groups.
    * `attention`: the norm of the attention: "rms", or "layer" in versions before 1.7.
    * `steps`: the steps of its training.
    * `waves`: how many learned frequencies embed the time, see `LearnedWaves`; 0 for the sinusoidal embedding.
    * `told`: what stands for the time: the number of the "step"; or, in continuous time, the logarithm of the ratio of
      signal to noise of a schedule of this kind.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        channels: int = 3,
        width: int = 64,
        first: int = 0,
        multipliers: tuple[int, ...] = (1, 2, 4, 8),
        full: tuple[int, ...] = (-1,),
        heads: tuple[int, ...] = (4,),
        head_channels: tuple[int, ...] = (32,),
        memory: int = 4,
        norm: BlockNorm = "rms",
        groups: int = 8,
        attention: Norm = "rms",
        steps: int = 1000,
        waves: int = 0,
        told: Told = "step",
    ) -> None:
        check_widths(width, multipliers, 1)
        levels = len(multipliers)
        super().__init__(levels=levels, steps=steps, bytes_per_pixel=BYTES + BYTES_A_CHANNEL * width)
        every = [_each(heads, levels), _each(head_channels, levels)]
        whole = {level % levels for level in full}
        time, self.told = 4 * width, told

        def block(inner: int, outer: int) -> ResidualBlock:
            return ResidualBlock(inner, outer, time, norm, groups)

        def attend(channels: int, level: int, *, whole: bool) -> nn.Module:
            kind = FullAttention if whole else LinearAttention
            own, of_head = (one[level] for one in every)
            return kind(channels, heads=own, head_channels=of_head, memory=memory, norm=attention)

        widths = [first or width, *(width * multiplier for multiplier in multipliers)]
        pairs = list(enumerate(pairwise(widths)))
        self.init_conv = nn.Conv2d(in_channels, widths[0], 7, padding=3)
        embedding, embedded = (LearnedWaves(waves), 2 * waves + 1) if waves else (Waves(width), width)
        self.time_mlp = nn.Sequential(embedding, nn.Linear(embedded, time), nn.GELU(), nn.Linear(time, time))
        self.downs = nn.ModuleList(
            nn.ModuleList([block(c, c), block(c, c), attend(c, i, whole=i in whole), _make_smaller(c, d, i, levels)])
            for i, (c, d) in pairs
        )
        deepest = widths[-1]
        self.mid_block1 = block(deepest, deepest)
        self.mid_attn = attend(deepest, -1, whole=True)
        self.mid_block2 = block(deepest, deepest)
        self.ups = nn.ModuleList(
            nn.ModuleList([block(c + d, d), block(c + d, d), attend(d, i, whole=i in whole), _make_larger(d, c, i)])
            for i, (c, d) in reversed(pairs)
        )
        self.final_res_block = block(2 * widths[0], widths[0])
        self.final_conv = nn.Conv2d(widths[0], channels, 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Predict from the state `x`, `b c h w`, at times `t` in [0, 1], `b` or `1`: `b c h w`."""
        time = self.time_mlp(self.step(t) if self.told == "step" else log_snr(self.told, t.float().reshape(-1)))
        padded = pad_to_multiple(x, self.multiple).contiguous(memory_format=torch.channels_last)
        begin = features = self.init_conv(padded)
        skips = []
        for level in self.downs:
            one, two, attend, smaller = cast("nn.ModuleList", level)
            skips.append(one(features, time))
            features = two(skips[-1], time)
            skips.append(attend(features) + features)
            features = smaller(skips[-1])
        features = self.mid_block1(features, time)
        features = self.mid_block2(self.mid_attn(features) + features, time)
        for level in self.ups:
            one, two, attend, larger = cast("nn.ModuleList", level)
            features = one(torch.cat([features, skips.pop()], dim=1), time)
            features = two(torch.cat([features, skips.pop()], dim=1), time)
            features = larger(attend(features) + features)
        features = self.final_res_block(torch.cat([features, begin], dim=1), time)
        return to_picture(self.final_conv, features, x)


def _each(numbers: tuple[int, ...], levels: int) -> tuple[int, ...]:
    """Return a number for each level. Raises `ValueError` for another number of them."""
    if len(numbers) not in (1, levels):
        raise ValueError(f"heads and head_channels must be one number or {levels}, not {len(numbers)}")
    return numbers * levels if len(numbers) == 1 else numbers


def _make_smaller(inner: int, outer: int, level: int, levels: int) -> nn.Module:
    """Return what a level ends with: half the size, its pixels side by side, but for the last one."""
    if level == levels - 1:
        return nn.Conv2d(inner, outer, 3, padding=1)
    return nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * inner, outer, 1))


def _make_larger(inner: int, outer: int, level: int) -> nn.Module:
    conv = nn.Conv2d(inner, outer, 3, padding=1)
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), conv) if level else conv
