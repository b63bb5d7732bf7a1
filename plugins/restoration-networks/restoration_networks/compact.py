"""The NAFNet we train ourselves: small, exact under tiling, fast on a laptop.

Against the published NAFNet (Chen et al., "Simple Baselines for Image Restoration", ECCV 2022) it has

* no global average pool: with it, a window of a picture and the whole picture disagree;
* native layer norm on the channels-last view, without gains of its own: the time embedding scales and shifts;
* zero-initialised last convolutions in the place of the gains beta and gamma: the same start, two operations less.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from restoration.framing import pad_to_multiple, to_picture
from restoration_networks.nafnet import gate
from restoration_networks.norm import layer_norm
from restoration_networks.time import SinusoidalEmbedding, modulated

FAR = 11
"""The side of wide kernels."""


class Block(nn.Module):
    """A NAFNet block without channel attention, scaled and shifted by the time; it looks `kernel // 2` far."""

    def __init__(self, channels: int, time_channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.time = nn.Linear(time_channels, 4 * channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.spatial = nn.Conv2d(2 * channels, 2 * channels, kernel, padding=kernel // 2, groups=2 * channels)
        self.project = nn.Conv2d(channels, channels, 1)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(channels, channels, 1)
        for last in (self.project, self.narrow, self.time):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`; `time` is the embedding, `b t`, or `1 t` for all."""
        scale, shift, scale2, shift2 = self.time(time).chunk(4, dim=1)
        x = x + self.project(gate(self.spatial(modulated(self.expand, layer_norm(x), scale, shift))))
        change: Tensor = self.narrow(gate(modulated(self.widen, layer_norm(x), scale2, shift2)))
        return x + change


class Surroundings(nn.Module):
    """What lies far around a place, from a quarter of the channels through wide kernels: much view for few weights.

    It begins as nothing added, so weights of a network without it are a start for one with it.
    """

    def __init__(self, channels: int, number: int, time_channels: int) -> None:
        super().__init__()
        self.gather = nn.Conv2d(channels, channels // 4, 1)
        self.blocks = nn.ModuleList(Block(channels // 4, time_channels, FAR) for _ in range(number))
        self.spread = nn.Conv2d(channels // 4, channels, 1)
        nn.init.zeros_(self.spread.weight)
        nn.init.zeros_(self.spread.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`; `time` is the embedding, `b t`, or `1 t` for all."""
        around: Tensor = self.spread(_through(self.blocks, self.gather(x), time))
        return x + around


class CompactNAFNet(nn.Module):
    """A conditional NAFNet of 1 to 20 million parameters, for any path from `y` to the clean image.

    It answers with an image: `y` plus what it learnt to add (the state `x` plus that, without a `y`). `far` blocks in
    the middle see FAR // 2 pixels of the smallest size each, for damage that only the surroundings tell, such as haze.
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
        self.encoders = nn.ModuleList(_blocks(n, c, time_channels) for n, c in zip(encoder, widths, strict=False))
        self.downs = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in widths[:-1])
        self.middle = _blocks(middle, widths[-1], time_channels)
        if far:
            self.middle.append(Surroundings(widths[-1], far, time_channels))
        blocks = sum((n + m) * 2**level for level, (n, m) in enumerate(zip(encoder, reversed(decoder), strict=True)))
        self.reach = 2 + blocks + self.multiple * (2 * middle + 1) // 2 + self.multiple * far * (FAR // 2)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * c, 4 * c, 1, bias=False), nn.PixelShuffle(2)) for c in reversed(widths[:-1])
        )
        self.decoders = nn.ModuleList(
            _blocks(n, c, time_channels) for n, c in zip(decoder, reversed(widths[:-1]), strict=True)
        )
        self.ending = nn.Conv2d(width, channels, 3, padding=1)
        nn.init.zeros_(self.ending.weight)
        nn.init.zeros_(self.ending.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Predict from the state `x` and the degraded image `y`, both `b c h w` in [0, 1], at times `t`, `b` or `1`."""
        time = self.time(t)
        features = pad_to_multiple(torch.cat([x, y], dim=1), self.multiple)
        features = self.intro(features.contiguous(memory_format=torch.channels_last))
        skips = []
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            features = _through(blocks, features, time)
            skips.append(features)
            features = down(features)
        features = _through(self.middle, features, time)
        for up, blocks in zip(self.ups, self.decoders, strict=True):
            features = up(features) + skips.pop()
            features = _through(blocks, features, time)
        change = to_picture(self.ending, features, x)
        return y + change if self.residual else change


def _through(blocks: nn.Module, features: Tensor, time: Tensor) -> Tensor:
    for block in blocks.children():
        features = block(features, time)
    return features


def _blocks(number: int, channels: int, time_channels: int) -> nn.ModuleList:
    return nn.ModuleList(Block(channels, time_channels) for _ in range(number))
