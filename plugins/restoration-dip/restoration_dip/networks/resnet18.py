"""ResNet-18 from picture to picture: four stages down to an eighth of the size, and back up with skips."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from restoration.framing import to_picture
from restoration_dip.fast.padding import pad_to_size
from restoration_dip.networks.layer import Halving, Layer, double_size

layer = partial(Layer, pad="zero", act="relu", bias=False)


class ResNet18(nn.Module):
    """A network of our own: the stages of ResNet-18 (He et al., CVPR 2016, arXiv:1512.03385) and a decoder.

    A 3x3 convolution at full size replaces the strided one and the pooling at the start, so that the first stage works
    at full size. The stages have `width` times 1, 2, 4 and 8 channels. On the way up a 1x1 convolution reduces the
    channels, the size is doubled, the stage of that size is added, as in LinkNet (Chaurasia and Culurciello 2017,
    arXiv:1707.03718), and a 3x3 convolution follows. There are 0.8 million parameters for a `width` of 16, 3.0 for 32
    and 12.1 for 64.
    """

    def __init__(self, *, in_channels: int = 32, channels: int = 3, width: int = 32, sigmoid: bool = True) -> None:
        super().__init__()
        widths = [width * 2**stage for stage in range(4)]
        self.intro = layer(in_channels, width, 3)
        self.stages = nn.ModuleList([_stage(width, width)])
        self.stages.extend(_stage(inner, outer, halve=True) for inner, outer in pairwise(widths))
        self.ups = nn.ModuleList(Up(deep, wide) for wide, deep in reversed([*pairwise(widths)]))
        self.ending = nn.Conv2d(width, channels, 1)
        self.sigmoid = sigmoid

    def forward(self, x: Tensor) -> Tensor:
        """Map an input `b in_channels h w` of any size to a picture `b channels h w`."""
        features = self.intro(pad_to_size(x, 9).contiguous(memory_format=torch.channels_last))
        skipped = []
        for stage in self.stages:
            features = stage(features)
            skipped.append(features)
        features = skipped.pop()
        for up in self.ups:
            features = up(features, skipped.pop())
        answer = to_picture(self.ending, features, x)
        return answer.sigmoid() if self.sigmoid else answer


class Block(nn.Module):
    """A basic block: two 3x3 layers and a shortcut, `b c h w` to `b d h w` or half its size, rounded up."""

    def __init__(self, inner: int, outer: int, *, halve: bool = False) -> None:
        super().__init__()
        down: Halving | None = "stride" if halve else None
        self.first, self.second = layer(inner, outer, 3, halve=down), layer(outer, outer, 3, act="none")
        self.around = layer(inner, outer, 1, halve=down, act="none") if halve or inner != outer else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b d h w`."""
        answer: Tensor = torch.relu(self.second(self.first(x)) + self.around(x))
        return answer


class Up(nn.Module):
    """Reduces the channels of the coarser features, doubles their size, adds the skip and applies a 3x3 layer."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.narrow, self.join = layer(inner, outer, 1), layer(outer, outer, 3)

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        """Map `b c h w` to the size of the skip, `b d h w`."""
        x = double_size(self.narrow(x), "bilinear")[..., : skipped.shape[-2], : skipped.shape[-1]]
        answer: Tensor = self.join(x + skipped)
        return answer


def _stage(inner: int, outer: int, *, halve: bool = False) -> nn.Sequential:
    return nn.Sequential(Block(inner, outer, halve=halve), Block(outer, outer))
