"""A plain U-Net: convolutions at sizes that are halved and doubled, without norm, attention or residual."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import pad_to_multiple, to_picture

if TYPE_CHECKING:
    from collections.abc import Iterable

SLOPE = 0.1
"""The slope of the leaky ReLU for negative values."""


class UNet(nn.Module):
    """The U-Net of Noise2Noise (Lehtinen et al., ICML 2018, arXiv:1803.04189, table 2), after Ronneberger et al., 2015.

    Input and output are pictures in [0, 1]; inside, 0.5 is subtracted.
    """

    def __init__(self, *, in_channels: int = 3, channels: int = 3, width: int = 48, depth: int = 5) -> None:
        super().__init__()
        if depth < 1 or width < 3:
            raise ValueError(f"depth must be at least 1 and width at least 3, not {depth} and {width}")
        self.multiple = 2**depth
        self.intro = _make_conv(in_channels, width)
        self.encoders = nn.ModuleList(_make_conv(width, width) for _ in range(depth))
        self.middle = _make_conv(width, width)
        deep = [2 * width if level == 0 else 3 * width for level in range(depth - 1)]
        self.decoders = nn.ModuleList(
            nn.ModuleList([_make_conv(c, 2 * width), _make_conv(2 * width, 2 * width)]) for c in deep
        )
        wide, narrow = 4 * width // 3, 2 * width // 3
        below = 2 * width if deep else width
        self.ending = nn.ModuleList([_make_conv(below + in_channels, wide), _make_conv(wide, narrow)])
        self.last = nn.Conv2d(narrow, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        padded = pad_to_multiple(x - 0.5, self.multiple).contiguous(memory_format=torch.channels_last)
        features, skips = _apply_layers([self.intro], padded), [padded]
        for encoder in self.encoders:
            features = functional.max_pool2d(_apply_layers([encoder], features), 2)
            skips.append(features)
        features = _apply_layers([self.middle], skips.pop())
        for decoder in [*self.decoders, self.ending]:
            features = functional.interpolate(features, scale_factor=2, mode="nearest")
            features = _apply_layers(decoder.children(), torch.cat([features, skips.pop()], dim=1))
        return to_picture(self.last, features, x) + 0.5


def _make_conv(inner: int, outer: int) -> nn.Conv2d:
    conv = nn.Conv2d(inner, outer, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight, a=SLOPE)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


def _apply_layers(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    for layer in layers:
        x = functional.leaky_relu(layer(x), SLOPE)
    return x
