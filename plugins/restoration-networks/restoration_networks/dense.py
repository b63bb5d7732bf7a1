"""A U-Net of dense convolutions that begins at full size: the network for a CPU that we train.

Processors run dense 3x3 convolutions at several times the rate of depthwise ones, down to 16 channels at full size, and
at equal training time such channels at full size are worth 0.2 to 0.4 dB over a NAFNet (denoising, sigma 25).
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import pad_to_multiple, to_picture
from restoration_networks.initial import zero_module
from restoration_networks.time import SinusoidalEmbedding


class Block(nn.Module):
    """A residual pair of 3x3 convolutions without norms: `x + conv(relu(conv(x)))`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():  # so that a deep stack is close to the identity at first
            self.second.weight.mul_(0.1)
            self.second.bias.mul_(0.1)  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        change: Tensor = self.second(functional.relu(self.first(x)))
        return x + change


class Level(nn.Module):
    """The blocks of one size; on a path the time scales and shifts their input."""

    def __init__(self, channels: int, blocks: int, time_channels: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(channels) for _ in range(blocks)))
        self.time = zero_module(nn.Linear(time_channels, 2 * channels)) if time_channels else None

    def forward(self, x: Tensor, time: Tensor | None) -> Tensor:
        """Map `b c h w` to `b c h w`; `time` is the embedding, `b t` or `1 t`, None without a path."""
        if self.time is not None and time is not None:
            scale, shift = rearrange(self.time(time), "b (two c) -> two b c 1 1", two=2)
            x = x * (1 + scale) + shift
        answer: Tensor = self.blocks(x)
        return answer


class DenseUNet(nn.Module):
    """A residual U-Net for any method: 1.5 million parameters by default.

    It predicts the clean image as the degraded one plus a change, or as the state plus a change if the path has no
    degraded image. Without a path it has no layers for the time, and its input is the picture alone. It does not pool
    over the picture, so windows agree with the whole.

    * `channels`: the channels of pictures.
    * `widths`: the channels at full size, half, quarter and so on; there is a level for each.
    * `encoder`, `decoder`: the number of blocks of each level on the way down, and on the way up.
    * `middle`: the number of blocks at the smallest size.
    * `timed`: whether it is used on a path, and given times.
    * `conditional`: whether the degraded image is given beside the state.
    * `time_channels`: the channels of the time embedding.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        widths: tuple[int, ...] = (16, 48, 96, 128),
        encoder: tuple[int, ...] = (1, 1, 2),
        middle: int = 2,
        decoder: tuple[int, ...] = (2, 1, 1),
        timed: bool = True,
        conditional: bool = True,
        time_channels: int = 64,
    ) -> None:
        super().__init__()
        if not len(encoder) == len(decoder) == len(widths) - 1:
            raise ValueError(
                f"{len(widths)} widths need {len(widths) - 1} numbers of blocks in encoder and decoder, "
                f"not {len(encoder)} and {len(decoder)}"
            )
        if min(*widths, *encoder, *decoder, middle + 1) < 1:
            raise ValueError("widths and numbers of blocks must be at least 1, middle at least 0")
        self.conditional = conditional
        self.multiple = 2 ** len(encoder)
        self.time = (
            nn.Sequential(SinusoidalEmbedding(time_channels), nn.Linear(time_channels, time_channels), nn.SiLU())
            if timed
            else None
        )
        embedding = time_channels if timed else 0
        outer, inner = widths[:-1], widths[1:]
        self.intro = nn.Conv2d(channels * (2 if conditional else 1), widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(Level(c, n, embedding) for c, n in zip(outer, encoder, strict=True))
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in zip(outer, inner, strict=True))
        self.middle = Level(widths[-1], middle, embedding)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(b, 4 * a, 1, bias=False), nn.PixelShuffle(2))
            for a, b in reversed(list(zip(outer, inner, strict=True)))
        )
        self.decoders = nn.ModuleList(Level(c, n, embedding) for c, n in zip(reversed(outer), decoder, strict=True))
        self.ending = zero_module(nn.Conv2d(widths[0], channels, 3, padding=1))
        levels = enumerate([*(n + m for n, m in zip(encoder, reversed(decoder), strict=True)), middle])
        self.reach = 2 + sum(2 * blocks * 2**level for level, blocks in levels) + self.multiple - 1

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Predict the clean image from the state `x` and the degraded image `y`, `b c h w`, at times `t`, `b` or `1`.

        Without a path `x` is the degraded image, and `y` and `t` are not used.
        """
        time = None if self.time is None else self.time(t)
        features = torch.cat([x, y], dim=1) if self.conditional else x
        features = pad_to_multiple(features, self.multiple).contiguous(memory_format=torch.channels_last)
        features = self.intro(features)
        skips = []
        for level, down in zip(self.encoders, self.downs, strict=True):
            skips.append(level(features, time))
            features = down(skips[-1])
        features = self.middle(features, time)
        for up, level in zip(self.ups, self.decoders, strict=True):
            features = level(up(features) + skips.pop(), time)
        return (y if self.conditional else x) + to_picture(self.ending, features, x)
