"""The NAFNet that we train: small, exact under tiling, fast on a laptop.

The differences from the published NAFNet (Chen et al., "Simple Baselines for Image Restoration", ECCV 2022) are:

* no global average pool, with which a window and the whole picture would disagree;
* native layer norm on the channels-last view, without gains of its own: the time embedding scales and shifts instead;
* zero-initialised last convolutions instead of the gains beta and gamma: the same start with two operations less.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from restoration.framing import pad_to_multiple, to_picture
from restoration_networks.initial import zero_module
from restoration_networks.nafnet import apply_blocks, gate
from restoration_networks.norm import layer_norm
from restoration_networks.time import SinusoidalEmbedding, modulate

FAR = 11
"""The side of the wide kernels, in pixels of the smallest size."""


class Block(nn.Module):
    """A NAFNet block without channel attention, scaled and shifted by the time; its receptive field is `kernel`."""

    def __init__(self, channels: int, time_channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.time = nn.Linear(time_channels, 4 * channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.spatial = nn.Conv2d(2 * channels, 2 * channels, kernel, padding=kernel // 2, groups=2 * channels)
        self.project = nn.Conv2d(channels, channels, 1)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(channels, channels, 1)
        zero_module(self.project)
        zero_module(self.narrow)
        zero_module(self.time)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`; `time` is the embedding, `b t`, or `1 t` for all."""
        scale, shift, scale2, shift2 = self.time(time).chunk(4, dim=1)
        x = x + self.project(gate(self.spatial(modulate(self.expand, layer_norm(x), scale, shift))))
        change: Tensor = self.narrow(gate(modulate(self.widen, layer_norm(x), scale2, shift2)))
        return x + change


class Surroundings(nn.Module):
    """Blocks with wide kernels on a quarter of the channels: a large receptive field for few weights.

    At first it adds nothing, so the weights of a network without it can be the initial weights of one with it.
    """

    def __init__(self, channels: int, number: int, time_channels: int) -> None:
        super().__init__()
        self.gather = nn.Conv2d(channels, channels // 4, 1)
        self.blocks = nn.ModuleList(Block(channels // 4, time_channels, FAR) for _ in range(number))
        self.spread = zero_module(nn.Conv2d(channels // 4, channels, 1))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`; `time` is the embedding, `b t`, or `1 t` for all."""
        around: Tensor = self.spread(apply_blocks(self.blocks, self.gather(x), time))
        return x + around


class CompactNAFNet(nn.Module):
    """A conditional NAFNet of 1 to 20 million parameters, for any path from `y` to the clean image.

    Its output is an image: `y` plus what it has learnt to add, or without a `y` the state `x` plus that.

    * `channels`: the channels of pictures.
    * `width`: the channels at full size, doubled with each halving of the size.
    * `encoder`, `middle`, `decoder`: the number of blocks at each size on the way down, in the middle and up again.
    * `far`: the number of blocks with kernels of `FAR` pixels in the middle, for damage that only the surroundings
      reveal, such as haze.
    * `time_channels`: the channels of the time embedding.
    * `residual`: whether the output is added to the picture.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        width: int = 16,
        encoder: tuple[int, ...] = (1, 1, 2, 2),
        middle: int = 1,
        decoder: tuple[int, ...] = (2, 2, 1, 1),
        far: int = 0,
        time_channels: int = 64,
        residual: bool = True,
    ) -> None:
        super().__init__()
        if len(encoder) != len(decoder):
            raise ValueError(f"encoder has {len(encoder)} levels and decoder {len(decoder)}: give both as many")
        self.multiple = 2 ** len(encoder)
        self.residual = residual
        self.time = nn.Sequential(
            SinusoidalEmbedding(time_channels), nn.Linear(time_channels, time_channels), nn.SiLU()
        )
        self.intro = nn.Conv2d(2 * channels, width, 3, padding=1)
        widths = [width * 2**level for level in range(len(encoder) + 1)]
        self.encoders = nn.ModuleList(_make_blocks(n, c, time_channels) for n, c in zip(encoder, widths, strict=False))
        self.downs = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in widths[:-1])
        self.middle = _make_blocks(middle, widths[-1], time_channels)
        if far:
            self.middle.append(Surroundings(widths[-1], far, time_channels))
        blocks = sum((n + m) * 2**level for level, (n, m) in enumerate(zip(encoder, reversed(decoder), strict=True)))
        self.reach = 2 + blocks + self.multiple * (2 * middle + 1) // 2 + self.multiple * far * (FAR // 2)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * c, 4 * c, 1, bias=False), nn.PixelShuffle(2)) for c in reversed(widths[:-1])
        )
        self.decoders = nn.ModuleList(
            _make_blocks(n, c, time_channels) for n, c in zip(decoder, reversed(widths[:-1]), strict=True)
        )
        self.ending = zero_module(nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Predict from the state `x` and the degraded image `y`, both `b c h w` in [0, 1], at times `t`, `b` or `1`."""
        time = self.time(t)
        features = pad_to_multiple(torch.cat([x, y], dim=1), self.multiple)
        features = self.intro(features.contiguous(memory_format=torch.channels_last))
        skips = []
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            features = apply_blocks(blocks, features, time)
            skips.append(features)
            features = down(features)
        features = apply_blocks(self.middle, features, time)
        for up, blocks in zip(self.ups, self.decoders, strict=True):
            features = up(features) + skips.pop()
            features = apply_blocks(blocks, features, time)
        change = to_picture(self.ending, features, x)
        return y + change if self.residual else change


def _make_blocks(number: int, channels: int, time_channels: int) -> nn.ModuleList:
    return nn.ModuleList(Block(channels, time_channels) for _ in range(number))
