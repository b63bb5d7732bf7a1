"""A plain U-Net: convolutions at sizes that halve and double, no norm, no attention, no way around the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import pad_to_multiple, to_picture

if TYPE_CHECKING:
    from collections.abc import Iterable

SLOPE = 0.1


class UNet(nn.Module):
    """The U-Net of Noise2Noise (Lehtinen et al., ICML 2018, arXiv:1803.04189, table 2), after Ronneberger et al., 2015.

    It is shown pictures in [0, 1] and answers with one; inside they lie around 0.
    """

    def __init__(self, *, in_channels: int = 3, channels: int = 3, width: int = 48, depth: int = 5) -> None:
        super().__init__()
        if depth < 1 or width < 3:
            raise ValueError(f"depth must be at least 1 and width at least 3, not {depth} and {width}")
        self.multiple = 2**depth
        self.intro = _conv(in_channels, width)
        self.encoders = nn.ModuleList(_conv(width, width) for _ in range(depth))
        self.middle = _conv(width, width)
        deep = [2 * width if level == 0 else 3 * width for level in range(depth - 1)]
        self.decoders = nn.ModuleList(nn.ModuleList([_conv(c, 2 * width), _conv(2 * width, 2 * width)]) for c in deep)
        wide, narrow = 4 * width // 3, 2 * width // 3
        below = 2 * width if deep else width
        self.ending = nn.ModuleList([_conv(below + in_channels, wide), _conv(wide, narrow)])
        self.last = nn.Conv2d(narrow, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture with what is known beside it, `b in_channels h w`, to a picture `b channels h w`."""
        shown = pad_to_multiple(x - 0.5, self.multiple).contiguous(memory_format=torch.channels_last)
        features, skips = _through([self.intro], shown), [shown]
        for encoder in self.encoders:
            features = functional.max_pool2d(_through([encoder], features), 2)
            skips.append(features)
        features = _through([self.middle], skips.pop())
        for decoder in [*self.decoders, self.ending]:
            features = functional.interpolate(features, scale_factor=2, mode="nearest")
            features = _through(decoder.children(), torch.cat([features, skips.pop()], dim=1))
        return to_picture(self.last, features, x) + 0.5


def _conv(inner: int, outer: int) -> nn.Conv2d:
    conv = nn.Conv2d(inner, outer, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight, a=SLOPE)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


def _through(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    for layer in layers:
        x = functional.leaky_relu(layer(x), SLOPE)
    return x
