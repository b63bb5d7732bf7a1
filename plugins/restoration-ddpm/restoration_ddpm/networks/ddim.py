"""The U-Net of the code of DDIM (Song et al., MIT), which that of DDPM is ported to; their modules have its names.

After Ho et al., "Denoising Diffusion Probabilistic Models", NeurIPS 2020, arXiv:2006.11239, and Song et al., "Denoising
Diffusion Implicit Models", ICLR 2021, arXiv:2010.02502. DDRM and SDEdit have it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import pad_to_multiple, to_picture
from restoration_ddpm.networks.parts import UNet, attend, check_widths, embed

GROUPS = 32
"""The groups of all norms: widths are multiples of it."""
BYTES = 55
"""The bytes that an evaluation needs for each pixel and each channel of its width, in float32; measured."""


class ResidualBlock(nn.Module):
    """Two convolutions, each after a norm and SiLU, a shortcut, and the time, which is added between them."""

    def __init__(self, inner: int, outer: int, time: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = _make_norm(inner), nn.Conv2d(inner, outer, 3, padding=1)
        self.temb_proj = nn.Linear(time, outer)
        self.norm2, self.conv2 = _make_norm(outer), nn.Conv2d(outer, outer, 3, padding=1)
        self.nin_shortcut = nn.Identity() if inner == outer else nn.Conv2d(inner, outer, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map `b c h w` to `b d h w`; `time` is the embedding after SiLU, `b t`, or `1 t` for all."""
        features = self.conv1(functional.silu(self.norm1(x)))
        features = features + rearrange(self.temb_proj(time), "b c -> b c 1 1")
        answer: Tensor = self.nin_shortcut(x) + self.conv2(functional.silu(self.norm2(features)))
        return answer


class Attention(nn.Module):
    """Softmax attention of every pixel to every other in one head, after a norm, and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _make_norm(channels)
        self.q, self.k, self.v = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        normed = self.norm(x)
        qkv = (rearrange(layer(normed), "b c h w -> b 1 (h w) c") for layer in (self.q, self.k, self.v))
        mixed = rearrange(attend(*qkv), "b 1 (h w) c -> b c h w", h=x.shape[2])
        answer: Tensor = x + self.proj_out(mixed)
        return answer


class Resampling(nn.Module):
    """Makes pictures half or twice as large, by a convolution (`conv`) or without one."""

    def __init__(self, channels: int, *, larger: bool, convolves: bool) -> None:
        super().__init__()
        self.larger = larger
        self.conv = None
        if convolves:
            self.conv = nn.Conv2d(channels, channels, 3, padding=1) if larger else nn.Conv2d(channels, channels, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to half or twice its size. A convolution that halves begins at the first pixel."""
        if self.larger:
            x = functional.interpolate(x, scale_factor=2.0)
        elif self.conv is None:
            return functional.avg_pool2d(x, 2)
        else:
            x = functional.pad(x, (0, 1, 0, 1))
        answer: Tensor = x if self.conv is None else self.conv(x)
        return answer


class Embedding(nn.Module):
    """Embeds numbers of steps, by waves and two layers."""

    def __init__(self, width: int, outer: int) -> None:
        super().__init__()
        self.width = width
        self.dense = nn.ModuleList([nn.Linear(width, outer), nn.Linear(outer, outer)])

    def forward(self, steps: Tensor) -> Tensor:
        """Map `b` to `b c`, after SiLU."""
        time = embed(steps, self.width)
        for layer in self.dense:
            time = functional.silu(layer(time))
        return time


class Middle(nn.Module):
    """The smallest size: a residual block, attention, and a residual block."""

    def __init__(self, channels: int, time: int) -> None:
        super().__init__()
        self.block_1, self.attn_1 = ResidualBlock(channels, channels, time), Attention(channels)
        self.block_2 = ResidualBlock(channels, channels, time)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        return cast("Tensor", self.block_2(self.attn_1(self.block_1(x, time)), time))


class Level(nn.Module):
    """The residual blocks of a size, each with attention after it or none, and what changes the size after them."""

    def __init__(self, blocks: Sequence[nn.Module], attentions: Sequence[nn.Module]) -> None:
        super().__init__()
        self.block, self.attn = nn.ModuleList(blocks), nn.ModuleList(attentions)
        self.downsample: nn.Module | None = None
        self.upsample: nn.Module | None = None

    def apply_block(self, place: int, x: Tensor, time: Tensor) -> Tensor:
        """Apply one of its blocks to `b c h w`, and the attention after it."""
        x = self.block[place](x, time)
        return cast("Tensor", self.attn[place](x)) if len(self.attn) else x


class DDIMUNet(UNet):
    """The U-Net of DDPM and DDIM; the defaults are those of its networks for LSUN, 256x256.

    * `in_channels`, `channels`: the channels of the input and of pictures.
    * `width`: the channels that those of all levels are multiples of.
    * `multipliers`: these multiples.
    * `blocks`: the residual blocks of each level on the way down; there is one more on the way up.
    * `attended`: the levels with attention, counted from 0.
    * `convolves`: whether convolutions change the size.
    * `steps`: the steps of its training.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        channels: int = 3,
        width: int = 128,
        multipliers: tuple[int, ...] = (1, 1, 2, 2, 4, 4),
        blocks: int = 2,
        attended: tuple[int, ...] = (4,),
        convolves: bool = True,
        steps: int = 1000,
    ) -> None:
        check_widths(width, multipliers, blocks)
        super().__init__(levels=len(multipliers), steps=steps, bytes_per_pixel=BYTES * width)
        time, here, last = 4 * width, width, len(multipliers) - 1
        widths = [width * multiplier for multiplier in multipliers]
        self.temb = Embedding(width, time)
        self.conv_in = nn.Conv2d(in_channels, width, 3, padding=1)
        down, up, skips = list[Level](), list[Level](), [here]
        for level, outer in enumerate(widths):
            inner = [here, *[outer] * (blocks - 1)]
            attentions = [Attention(outer) for _ in inner if level in attended]
            down.append(Level([ResidualBlock(c, outer, time) for c in inner], attentions))
            here = outer
            skips += [here] * (blocks + (level < last))
            if level < last:
                down[level].downsample = Resampling(here, larger=False, convolves=convolves)
        self.mid = Middle(here, time)
        for level, outer in reversed(list(enumerate(widths))):
            inner = [here + skips.pop(), *[outer + skips.pop() for _ in range(blocks)]]
            attentions = [Attention(outer) for _ in inner if level in attended]
            up.insert(0, Level([ResidualBlock(c, outer, time) for c in inner], attentions))
            here = outer
            if level:
                up[0].upsample = Resampling(here, larger=True, convolves=convolves)
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)
        self.norm_out, self.conv_out = _make_norm(here), nn.Conv2d(here, channels, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Predict from the state `x`, `b c h w`, at times `t` in [0, 1], `b` or `1`: `b c h w`."""
        time = self.temb(self.step(t))
        features = self.conv_in(pad_to_multiple(x, self.multiple).contiguous(memory_format=torch.channels_last))
        skips = [features]
        for level in cast("list[Level]", self.down):
            for place in range(len(level.block)):
                features = level.apply_block(place, features, time)
                skips.append(features)
            if level.downsample is not None:
                features = level.downsample(features)
                skips.append(features)
        features = self.mid(features, time)
        for level in reversed(cast("list[Level]", list(self.up))):
            for place in range(len(level.block)):
                features = level.apply_block(place, torch.cat([features, skips.pop()], dim=1), time)
            if level.upsample is not None:
                features = level.upsample(features)
        return to_picture(self.conv_out, functional.silu(self.norm_out(features)), x)


def _make_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, channels, eps=1e-6)
