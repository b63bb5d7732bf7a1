"""The published NAFNet, from image to image; its parameters have the published names.

Chen et al., "Simple Baselines for Image Restoration", ECCV 2022, arXiv:2204.04676. Its channel attention averages over
the whole picture, so the output changes in windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import pad_to_multiple, part_to_mend, to_picture
from restoration_networks.norm import BiasNorm

if TYPE_CHECKING:
    from collections.abc import Callable


def gate(x: Tensor) -> Tensor:
    """Multiply the first half of the channels by the second: `b 2c h w` to `b c h w`."""
    first, second = x.chunk(2, dim=1)
    return first * second


class Block(nn.Module):
    """A NAFNet block: a depthwise convolution with channel attention, then a gated layer for each pixel."""

    def __init__(self, channels: int, norm: Callable[[int], nn.Module] = BiasNorm) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(channels), norm(channels)
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.sca = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1))
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.conv4 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        x = x + self.mix(self.conv1(self.norm1(x)))
        return x + self.narrow(self.conv4(self.norm2(x)))

    def mix(self, wide: Tensor) -> Tensor:
        """Mix neighbouring pixels and weight the channels: `b 2c h w` to `b c h w`."""
        x = gate(self.conv2(wide))
        attention = self.sca(x)
        if attention.shape[0] > 1:
            return apply_scaled(self.conv3, x * attention, self.beta)
        return apply_scaled(self.conv3, x, self.beta, attention)

    def narrow(self, wide: Tensor) -> Tensor:
        """Multiply the two halves and mix the channels: `b 2c h w` to `b c h w`."""
        return apply_scaled(self.conv5, gate(wide), self.gamma)


def apply_scaled(conv: nn.Conv2d, x: Tensor, after: Tensor, before: Tensor | None = None) -> Tensor:
    """Return `conv(x * before) * after` for a 1x1 convolution and gains `1 c 1 1`, both folded into its weights."""
    weight = conv.weight * rearrange(after, "1 c 1 1 -> c 1 1 1")
    if before is not None:
        weight = weight * before
    assert conv.bias is not None
    return functional.conv2d(x, weight, conv.bias * rearrange(after, "1 c 1 1 -> c"))


class Levels(nn.Module):
    """What every NAFNet has: blocks at sizes that are halved and doubled again, with skips that are added.

    * `block`: makes a block for a number of channels.
    * `inner`, `outer`: the channels of the input and of the output.
    * `width`: the channels at full size, doubled with each halving of the size.
    * `encoder`, `middle`, `decoder`: the number of blocks at each size on the way down, in the middle and up again.
    """

    def __init__(
        self,
        block: Callable[[int], nn.Module],
        inner: int,
        outer: int,
        *,
        width: int,
        encoder: tuple[int, ...],
        middle: int,
        decoder: tuple[int, ...],
    ) -> None:
        super().__init__()
        if len(encoder) != len(decoder):
            raise ValueError(f"encoder has {len(encoder)} levels and decoder {len(decoder)}: give both as many")
        self.multiple = 2 ** len(encoder)
        widths = [width * 2**level for level in range(len(encoder))]
        self.intro = nn.Conv2d(inner, width, 3, padding=1)
        self.encoders = nn.ModuleList(_make_blocks(block, n, c) for n, c in zip(encoder, widths, strict=True))
        self.downs = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in widths)
        self.middle_blks = _make_blocks(block, middle, width * self.multiple)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * c, 4 * c, 1, bias=False), nn.PixelShuffle(2)) for c in reversed(widths)
        )
        self.decoders = nn.ModuleList(_make_blocks(block, n, c) for n, c in zip(decoder, reversed(widths), strict=True))
        self.ending = nn.Conv2d(width, outer, 3, padding=1)

    def map_levels(self, x: Tensor, *time: Tensor, intro_skip: bool = False) -> Tensor:
        """Map `b c h w` of any size to `b d h w`; every block is also given the `time`, if there is one."""
        padded = pad_to_multiple(x, self.multiple, mode="constant").contiguous(memory_format=torch.channels_last)
        first = features = self.intro(padded)
        skips = []
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            features = apply_blocks(blocks, features, *time)
            skips.append(features)
            features = down(features)
        features = apply_blocks(self.middle_blks, features, *time)
        for up, blocks in zip(self.ups, self.decoders, strict=True):
            features = apply_blocks(blocks, up(features) + skips.pop(), *time)
        return to_picture(self.ending, features + first if intro_skip else features, x)


class NAFNet(Levels):
    """The published NAFNet; the defaults are its 17 million parameters for deblurring.

    * `in_channels`, `channels`: the channels of the input and of the picture.
    * `width`: the channels at full size, doubled with each halving of the size.
    * `encoder`, `middle`, `decoder`: the number of blocks at each size on the way down, in the middle and up again.
    * `residual`: whether the output is added to the degraded picture, see `part_to_mend`.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        channels: int = 3,
        width: int = 32,
        encoder: tuple[int, ...] = (1, 1, 1, 28),
        middle: int = 1,
        decoder: tuple[int, ...] = (1, 1, 1, 1),
        residual: bool = True,
    ) -> None:
        super().__init__(Block, in_channels, channels, width=width, encoder=encoder, middle=middle, decoder=decoder)
        self.mended = part_to_mend(in_channels, channels) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        change = self.map_levels(x)
        return change if self.mended is None else change + x[:, self.mended]


def _make_blocks(block: Callable[[int], nn.Module], number: int, channels: int) -> nn.Sequential:
    return nn.Sequential(*(block(channels) for _ in range(number)))


def apply_blocks(blocks: nn.Module, x: Tensor, *time: Tensor) -> Tensor:
    """Apply blocks one after the other to `b c h w`; each is also given the embedding of the `time`, if any."""
    for block in blocks.children():
        x = block(x, *time)
    return x
