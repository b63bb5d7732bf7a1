"""The U-Net of Deep Image Prior: batch norm on the way down, none on the way up."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import to_picture
from restoration_dip.fast.norm import concatenate
from restoration_dip.fast.padding import pad_to_size
from restoration_dip.networks.layer import Doubling, Layer, Norm, Pad, double_size

if TYPE_CHECKING:
    from collections.abc import Callable


class UNet(nn.Module):
    """The U-Net that Ulyanov et al. 2018, arXiv:1711.10925, compare with, after Ronneberger et al. 2015.

    * `in_channels`, `channels`: the channels of the input and of the picture.
    * `widths`: the channels of each level, full size first. Those of the original are 64 to 1024 divided by its
      `feature_scale`, which is 4 by default; its `more_layers` repeat the last one.
    * `upsample`: how sizes are doubled; "transposed" is a transposed convolution.
    * `pad`: what is beyond the border.
    * `norm`: the norm of the layers on the way down.
    * `sigmoid`: whether the output is between 0 and 1.
    * `bias`: whether convolutions have a bias.

    Parameters are created in the order of the original, so that a seed gives the same initial weights. Pictures that
    are too small to be halved so often are padded, and the output cropped.
    """

    def __init__(
        self,
        *,
        in_channels: int = 32,
        channels: int = 3,
        widths: tuple[int, ...] = (16, 32, 64, 128, 256),
        upsample: Doubling | Literal["transposed"] = "bilinear",
        pad: Pad = "reflection",
        norm: Norm = "batch",
        sigmoid: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if len(widths) < 2:
            raise ValueError(f"widths must be of two or more levels, not {len(widths)}")
        layer = partial(Layer, act="relu", pad=pad, bias=bias)
        self.encoders = nn.ModuleList(
            Pair(partial(layer, norm=norm), inner, outer) for inner, outer in pairwise((in_channels, *widths))
        )
        self.decoders = nn.ModuleList(
            Decoder(partial(layer, norm="none"), deep, wide, upsample) for wide, deep in reversed([*pairwise(widths)])
        )
        self.ending = nn.Conv2d(widths[0], channels, 1, bias=bias)
        self.sigmoid = sigmoid
        self.multiple = 2 ** (len(widths) - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map an input `b in_channels h w` of any size to a picture `b channels h w`."""
        padded = pad_to_size(x, 2 * self.multiple, self.multiple)
        features, skipped = self.encoders[0](padded.contiguous(memory_format=torch.channels_last)), []
        for encoder in self.encoders[1:]:
            skipped.append(features)
            features = encoder(functional.max_pool2d(features, 2))
        for decoder in self.decoders:
            features = decoder(features, skipped.pop())
        answer = to_picture(self.ending, features, x)
        return answer.sigmoid() if self.sigmoid else answer


class Pair(nn.Module):
    """Two 3x3 layers, `b c h w` to `b d h w`."""

    def __init__(self, layer: Callable[..., Layer], inner: int, outer: int) -> None:
        super().__init__()
        self.first, self.second = layer(inner, outer, 3), layer(outer, outer, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b d h w`."""
        answer: Tensor = self.second(self.first(x))
        return answer


class Decoder(nn.Module):
    """Doubles the size of the coarser features, concatenates the skip, and applies two layers."""

    def __init__(
        self, layer: Callable[..., Layer], inner: int, outer: int, upsample: Doubling | Literal["transposed"]
    ) -> None:
        super().__init__()
        self.upsample: Doubling | None = None if upsample == "transposed" else upsample
        self.enlarge = (
            nn.ConvTranspose2d(inner, outer, 4, 2, 1) if self.upsample is None else layer(inner, outer, 3, act="none")
        )
        self.pair = Pair(layer, 2 * outer, outer)

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        """Map `b c h w` to the size of the skip, `b d 2h 2w`."""
        if self.upsample:
            x = double_size(x, self.upsample)
        answer: Tensor = self.pair(concatenate(self.enlarge(x), skipped))
        return answer
