"""The deblurring generator of DBGAN: dense blocks in residual blocks, at full size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from restoration.framing import part_to_mend, to_picture

GROWTH = 32
"""The channels that each convolution of a dense block adds."""
SHARE = 0.2
"""How much of what a block makes is added to its input."""


def layer(inner: int, outer: int, *, activated: bool = True) -> nn.Sequential:
    """Return a 3x3 convolution, with a leaky ReLU or without."""
    conv = nn.Conv2d(inner, outer, 3, padding=1)
    return nn.Sequential(conv, nn.LeakyReLU(0.2, inplace=True)) if activated else nn.Sequential(conv)


class Dense(nn.Module):
    """Five convolutions, each of which sees the input and all before it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        for place in range(1, 5):
            self.add_module(f"conv{place}", layer(width + (place - 1) * GROWTH, GROWTH))
        self.conv5 = layer(width + 4 * GROWTH, width, activated=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        seen = [x]
        for place in range(1, 5):
            seen.append(self.get_submodule(f"conv{place}")(torch.cat(seen, 1)))
        answer: Tensor = SHARE * self.conv5(torch.cat(seen, 1)) + x
        return answer


class Threefold(nn.Module):
    """Three dense blocks, added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.RDB1, self.RDB2, self.RDB3 = Dense(width), Dense(width), Dense(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        answer: Tensor = SHARE * self.RDB3(self.RDB2(self.RDB1(x))) + x
        return answer


class Body(nn.Module):
    """The blocks and a convolution, added to their input."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.sub1 = nn.Sequential(*(Threefold(width) for _ in range(blocks)))
        self.sub2 = layer(width, width, activated=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        answer: Tensor = x + self.sub2(self.sub1(x))
        return answer


class DBGAN(nn.Module):
    """The generator for deblurring: what its blocks predict is added to the picture.

    Zhang et al., "Deblurring by Realistic Blurring", CVPR 2020, arXiv:2004.01860; parameters have the names of the
    authors' code. Their other generator, which blurs, is for training only.

    * `in_channels`, `channels`: the channels of the input and of the picture.
    * `width`: the channels of the features.
    * `blocks`: the number of blocks, of three dense blocks each; two or more.
    """

    def __init__(self, *, in_channels: int = 3, channels: int = 3, width: int = 64, blocks: int = 16) -> None:
        super().__init__()
        if width < 1 or blocks < 2:
            raise ValueError("width must be at least 1, and blocks at least 2")
        self.mended = part_to_mend(in_channels, channels)
        self.reach = 15 * blocks + 4
        first, last = nn.Conv2d(in_channels, width, 3, padding=1), nn.Conv2d(width, channels, 3, padding=1)
        self.model = nn.Sequential(first, Body(width, blocks), *layer(width, width), last)

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        features = self.model[:-1](x.contiguous(memory_format=torch.channels_last))
        return to_picture(self.model[-1], features, x) + x[:, self.mended]
