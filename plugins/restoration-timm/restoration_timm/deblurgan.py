"""The generators of DeblurGAN-v2: a feature pyramid over MobileNetV2 or Inception-ResNet-v2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import nn
from torch.nn import functional

from restoration.framing import part_to_mend, to_picture
from restoration_timm.pyramids import InceptionPyramid, MobilePyramid, Smooth, enlarged

if TYPE_CHECKING:
    from torch import Tensor

MULTIPLE = 32
"""A picture is extended to sides that are multiples of so many pixels, and beyond its own in any case."""


class Head(nn.Module):
    """Two convolutions without biases, each with a ReLU."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.block0 = nn.Conv2d(inner, outer, 3, padding=1, bias=False)
        self.block1 = nn.Conv2d(outer, outer, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b inner h w` to `b outer h w`."""
        answer: Tensor = self.block1(self.block0(x).relu()).relu()
        return answer


class DeblurGANv2(nn.Module):
    """A feature pyramid over an encoder, whose maps are enlarged and concatenated.

    Kupyn et al., "DeblurGAN-v2: Deblurring (Orders-of-Magnitude) Faster and Better", ICCV 2019, arXiv:1908.03826;
    parameters have the names of the authors' code. All norms, those of the encoder too, take the mean and the
    variance of the picture at hand, as their code does when it restores; the border that it adds, of a middle grey on
    the right and at the bottom, is part of that.

    * `backbone`: the encoder, "mobilenet" (MobileNetV2) or "inception" (Inception-ResNet-v2).
    * `in_channels`, `channels`: the channels of the input and of the picture.
    * `width`: the channels of the features at a quarter of the size; 0 is as published, 64 or 128.
    """

    def __init__(
        self,
        *,
        backbone: Literal["mobilenet", "inception"] = "mobilenet",
        in_channels: int = 3,
        channels: int = 3,
        width: int = 0,
    ) -> None:
        super().__init__()
        if width < 0 or width % 2:
            raise ValueError(f"width must be an even number, not {width}")
        self.mended = part_to_mend(in_channels, channels)
        width = width or (64 if backbone == "mobilenet" else 128)
        pyramid = MobilePyramid if backbone == "mobilenet" else InceptionPyramid
        self.fpn = pyramid(in_channels, 2 * width)
        for place in range(1, 5):
            self.add_module(f"head{place}", Head(2 * width, width))
        self.smooth, self.smooth2 = Smooth(4 * width, width), Smooth(width, width // 2)
        self.final = nn.Conv2d(width // 2, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        signed = 2 * x - 1
        first, *maps = self.fpn(self._framed(signed).contiguous(memory_format=torch.channels_last))
        heads = [
            enlarged(self.get_submodule(f"head{place + 1}")(maps[place]), 2**place) for place in reversed(range(4))
        ]
        features = self.smooth2(enlarged(self.smooth(torch.cat(heads, 1)), 2) + first)
        change = to_picture(self.final, enlarged(features, 2), x).tanh()
        return (signed[:, self.mended] + change + 1) / 2

    def _framed(self, x: Tensor) -> Tensor:
        """Extend a picture as the published code does, or farther if the pyramid needs more."""
        sides = [max(self.fpn.least, (side // MULTIPLE + 1) * MULTIPLE) for side in x.shape[-2:]]
        return functional.pad(x, (0, sides[1] - x.shape[-1], 0, sides[0] - x.shape[-2]))
