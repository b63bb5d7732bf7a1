"""A U-Net around an encoder of timm: from picture to picture at full size."""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING, Literal

import torch
from timm.layers.norm import LayerNorm2d
from torch import nn
from torch.nn import functional

from restoration.framing import pad_to_multiple, part_to_mend, to_picture
from restoration_timm.encoder import Encoder

if TYPE_CHECKING:
    from torch import Tensor

WIDEST = 16
"""The channels of the decoder double with each halving of the size, up to this many times its width."""


class Layer(nn.Sequential):
    """A 3x3 convolution, a norm and GELU. Of the norms only `batch` depends on other pixels, in training."""

    def __init__(self, inner: int, outer: int, norm: str, stride: int = 1) -> None:
        norms = {"layer": LayerNorm2d, "batch": nn.BatchNorm2d, "none": nn.Identity}
        conv = nn.Conv2d(inner, outer, 3, stride, padding=1, bias=norm != "batch")
        super().__init__(conv, norms[norm](outer), nn.GELU())


class Fusion(nn.Module):
    """Enlarges coarse features to the size of finer ones, and convolves both together."""

    def __init__(self, coarse: int, fine: int, outer: int, norm: str) -> None:
        super().__init__()
        self.layer = Layer(coarse + fine, outer, norm)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Map `b c h/n w/n` and `b d h w` to `b e h w`."""
        enlarged = functional.interpolate(coarse, fine.shape[-2:], mode="bilinear", align_corners=False)
        fused: Tensor = self.layer(torch.cat([enlarged, fine], dim=1))
        return fused


class TimmUNet(nn.Module):
    """A U-Net (Ronneberger et al., 2015) with an encoder of timm and a light decoder.

    Encoders begin at a half or a quarter of the picture's size, so convolutions of our own extract the finer features.
    The input is pictures in [0, 1], or states near them. Most encoders have batch norms, which need more than one value
    for each channel in training.

    * `encoder`: the name of the encoder.
    * `in_channels`, `channels`: the channels of the input and of the picture.
    * `width`: the channels of the decoder at full size.
    * `norm`: the norm of the decoder.
    * `pretrained`: whether the encoder starts from its published weights.
    * `residual`: whether the output, which is zero at first, is added to the degraded picture, see `part_to_mend`.
    * `sigmoid`: whether the output is between 0 and 1; only without `residual`.
    """

    def __init__(
        self,
        *,
        encoder: str,
        in_channels: int = 3,
        channels: int = 3,
        width: int = 16,
        norm: Literal["layer", "batch", "none"] = "layer",
        pretrained: bool = False,
        residual: bool = True,
        sigmoid: bool = False,
    ) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1, not {width}")
        if residual and sigmoid:
            raise ValueError("what is added to a picture is not between 0 and 1: set residual or sigmoid to false")
        self.mended = part_to_mend(in_channels, channels) if residual else None
        self.sigmoid = sigmoid
        self.encoder = Encoder(encoder, in_channels, pretrained=pretrained)
        finer = [2**level for level in range(8) if 2**level < self.encoder.reductions[0]]
        self.multiple = lcm(self.encoder.multiple, *finer)
        inner = [in_channels, *(width * min(reduction, WIDEST) for reduction in finer)]
        self.stems = nn.ModuleList(
            Layer(inner[level], inner[level + 1], norm, stride=2 if level else 1) for level in range(len(finer))
        )
        skips = [*inner[1:], *self.encoder.channels]
        reductions = [*finer, *self.encoder.reductions]
        coarse, fusions = skips.pop(), []
        for skip, reduction in zip(reversed(skips), reversed(reductions[:-1]), strict=True):
            outer = width * min(reduction, WIDEST)
            fusions.append(Fusion(coarse, skip, outer, norm))
            coarse = outer
        self.decoder = nn.ModuleList(fusions)
        self.ending = nn.Conv2d(coarse, channels, 3, padding=1)
        if residual:
            nn.init.zeros_(self.ending.weight)
            nn.init.zeros_(self.ending.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        padded = pad_to_multiple(self.encoder.normalise(x), self.multiple).contiguous(memory_format=torch.channels_last)
        features, skips = padded, []
        for stem in self.stems:
            features = stem(features)
            skips.append(features)
        skips += self.encoder(padded)
        features = skips.pop()
        for fusion in self.decoder:
            features = fusion(features, skips.pop())
        answer = to_picture(self.ending, features, x)
        if self.sigmoid:
            return answer.sigmoid()
        return answer if self.mended is None else answer + x[:, self.mended]
