"""EDSR, and what all networks that enlarge are made of."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from restoration.framing import to_picture

MEAN = (0.4488, 0.4371, 0.4040)
"""The mean colour of the pictures of DIV2K."""


def conv(inner: int, outer: int, side: int = 3, *, groups: int = 1, bias: bool = True) -> nn.Conv2d:
    """Return a convolution that keeps the size."""
    return nn.Conv2d(inner, outer, side, padding=side // 2, groups=groups, bias=bias)


def mean_shift(channels: int, sign: int, levels: float = 1.0) -> nn.Conv2d:
    """Return a convolution that subtracts the mean colour, or adds it; it is not trained."""
    shift = nn.Conv2d(channels, channels, 1)
    mean = torch.tensor(MEAN if channels == len(MEAN) else (sum(MEAN) / len(MEAN),) * channels)
    with torch.no_grad():
        shift.weight.copy_(torch.eye(channels)[:, :, None, None])
        if shift.bias is not None:
            shift.bias.copy_(sign * levels * mean)
    return shift.requires_grad_(False)


class Residual(nn.Module):
    """Two 3x3 convolutions that are added to their input, times `share`."""

    def __init__(self, width: int, share: float) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(width, width), nn.ReLU(inplace=True), conv(width, width))
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        change: Tensor = self.body(x)
        return x + (change if self.share == 1 else self.share * change)


class EDSR(nn.Module):
    """Residual blocks without norms, one skip over all of them, then pixel-shuffle; for levels of 255 inside.

    Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPRW 2017, arXiv:1707.02921; the
    defaults are its baseline, and parameters have the names of the authors' code.

    * `channels`: the channels of pictures.
    * `width`: the channels of the features.
    * `blocks`: the number of residual blocks.
    * `scale`: how many times larger the answer is.
    * `share`: of each residual block, 0.1 for the large network of the paper.
    """

    def __init__(
        self, *, channels: int = 3, width: int = 64, blocks: int = 16, scale: int = 4, share: float = 1.0
    ) -> None:
        super().__init__()
        steps = [3] if scale == 3 else [2] * int(math.log2(max(scale, 1)))
        if scale < 2 or math.prod(steps) != scale:
            raise ValueError(f"scale must be 3 or a power of 2, not {scale}")
        self.enlarges = (scale,)
        self.reach = scale * (2 * blocks + 4 + len(steps))
        self.sub_mean, self.add_mean = mean_shift(channels, -1, 255), mean_shift(channels, 1, 255)
        self.head = nn.Sequential(conv(channels, width))
        self.body = nn.Sequential(*(Residual(width, share) for _ in range(blocks)), conv(width, width))
        layers = [one for step in steps for one in (conv(width, step**2 * width), nn.PixelShuffle(step))]
        self.tail = nn.Sequential(nn.Sequential(*layers), conv(width, channels))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Map small pictures `y` to pictures of the size of `x`, both `b c h w`."""
        first = self.head(self.sub_mean((255 * y).contiguous(memory_format=torch.channels_last)))
        features = self.tail[0](self.body(first) + first)
        with torch.autocast(x.device.type, enabled=False):
            answer: Tensor = self.add_mean(to_picture(self.tail[1], features, x)) / 255
        return answer
