"""RFDN: blocks that keep half of the features after each convolution for the end."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import to_picture
from restoration_comparators.edsr import conv
from restoration_comparators.small import enlarge_to_least

LEAST = 15
"""The smallest side of a picture that the attention can pool."""


class Attention(nn.Module):
    """The enhanced spatial attention: a mask from a few channels, pooled far and enlarged again."""

    def __init__(self, width: int, few: int) -> None:
        super().__init__()
        self.conv1, self.conv_f, self.conv4 = conv(width, few, 1), conv(few, few, 1), conv(few, width, 1)
        self.conv2 = nn.Conv2d(few, few, 3, stride=2)
        self.conv_max, self.conv3, self.conv3_ = (conv(few, few) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        few = self.conv1(x)
        far = functional.max_pool2d(self.conv2(few), 7, stride=3)
        far = self.conv3_(self.conv3(self.conv_max(far).relu()).relu())
        far = functional.interpolate(far, x.shape[-2:], mode="bilinear", align_corners=False)
        mask: Tensor = self.conv4(far + self.conv_f(few)).sigmoid()
        return x * mask


class Distilling(nn.Module):
    """A block: after each of three residual convolutions half of the channels are kept for the end."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        for place in (1, 2, 3):
            self.add_module(f"c{place}_d", conv(width, half, 1))
            self.add_module(f"c{place}_r", conv(width, width))
        self.c4, self.c5, self.esa = conv(width, half), conv(4 * half, width, 1), Attention(width, max(1, width // 4))

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        kept = []
        for place in (1, 2, 3):
            kept.append(_leaky(self.get_submodule(f"c{place}_d")(x)))
            x = _leaky(self.get_submodule(f"c{place}_r")(x) + x)
        answer: Tensor = self.esa(self.c5(torch.cat([*kept, _leaky(self.c4(x))], 1)))
        return answer


class RFDN(nn.Module):
    """Distilling blocks whose answers are all gathered, then pixel-shuffle; for levels of 255 inside.

    Liu et al., "Residual Feature Distillation Network for Lightweight Image Super-Resolution", ECCVW 2020,
    arXiv:2009.11551; the defaults are the network that won AIM 2020, with its names of parameters.

    * `channels`: the channels of pictures.
    * `width`: the channels of the features.
    * `blocks`: the number of blocks.
    * `scale`: how many times larger the answer is.
    """

    def __init__(self, *, channels: int = 3, width: int = 50, blocks: int = 4, scale: int = 4) -> None:
        super().__init__()
        if min(width, blocks) < 1 or scale < 2:
            raise ValueError("width and blocks must be at least 1, and scale at least 2")
        self.enlarges, self.blocks = (scale,), blocks
        self.reach = 32 * scale
        self.fea_conv, self.LR_conv = conv(channels, width), conv(width, width)
        for place in range(1, blocks + 1):
            self.add_module(f"B{place}", Distilling(width))
        self.c = nn.Sequential(conv(blocks * width, width, 1), nn.LeakyReLU(0.05))
        self.upsampler = nn.Sequential(conv(width, channels * scale**2), nn.PixelShuffle(scale))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Map small pictures `y` to pictures of the size of `x`, both `b c h w`."""
        seen = enlarge_to_least(y, LEAST).contiguous(memory_format=torch.channels_last)
        first = features = self.fea_conv(255 * seen)
        found = []
        for place in range(1, self.blocks + 1):
            features = self.get_submodule(f"B{place}")(features)
            found.append(features)
        return to_picture(self.upsampler, self.LR_conv(self.c(torch.cat(found, 1))) + first, x) / 255


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.05)
