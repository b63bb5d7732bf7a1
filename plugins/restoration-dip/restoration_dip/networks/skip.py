"""The hourglass network with skips of Deep Image Prior: even untrained, it fits pictures sooner than noise."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from restoration.framing import to_picture
from restoration_dip.fast.norm import BatchNorm, concatenate
from restoration_dip.fast.padding import crop_middle, pad_to_size
from restoration_dip.networks.layer import Act, Doubling, Halving, Layer, Pad, double_size

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class SkipNet(nn.Module):
    """The network of Ulyanov et al., "Deep Image Prior", CVPR 2018, arXiv:1711.10925, with all of its options.

    The defaults are those for denoising a photograph.

    * `in_channels`, `channels`: the channels of the input and of the picture.
    * `down`, `up`, `skip`: the channels of each level on the way down, on the way up and of its skip, full size first;
      where `skip` is 0, there is no skip.
    * `kernel_down`, `kernel_up`, `kernel_skip`: the sides of the kernels, one for all levels or one for each.
    * `upsample`, `downsample`: how sizes are doubled and halved, one way for all levels or one for each.
    * `act`: the activation.
    * `pad`: what is beyond the border.
    * `mix`: whether each level on the way up ends with a 1x1 convolution.
    * `sigmoid`: whether the output is between 0 and 1.
    * `bias`: whether convolutions have a bias.

    Parameters are created in the order of the original, so that a seed gives the same initial weights, but for Lanczos
    filters, which draw random numbers in the original. Reflection needs a picture larger than the border, and a batch
    norm more than one value: a picture that would be too small at the smallest level is padded, and the output cropped.
    """

    def __init__(
        self,
        *,
        in_channels: int = 32,
        channels: int = 3,
        down: tuple[int, ...] = (128, 128, 128, 128, 128),
        up: tuple[int, ...] = (128, 128, 128, 128, 128),
        skip: tuple[int, ...] = (4, 4, 4, 4, 4),
        kernel_down: int | tuple[int, ...] = 3,
        kernel_up: int | tuple[int, ...] = 3,
        kernel_skip: int | tuple[int, ...] = 1,
        upsample: Doubling | tuple[Doubling, ...] = "bilinear",
        downsample: Halving | tuple[Halving, ...] = "stride",
        act: Act = "leaky-relu",
        pad: Pad = "reflection",
        mix: bool = True,
        sigmoid: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        depth = len(down)
        if not depth or not depth == len(up) == len(skip):
            raise ValueError(f"down, up and skip have {depth}, {len(up)} and {len(skip)} levels: give all as many")
        down_by, up_by, skip_by = (
            _each(kernel, depth, f"kernel_{way}")
            for way, kernel in (("down", kernel_down), ("up", kernel_up), ("skip", kernel_skip))
        )
        halve: tuple[Halving, ...] = _each(downsample, depth, "downsample")
        double: tuple[Doubling, ...] = _each(upsample, depth, "upsample")
        layer = partial(Layer, act=act, pad=pad, bias=bias)
        self.down, self.skip, self.up = nn.ModuleList(), nn.ModuleDict(), nn.ModuleList()
        for level in range(depth):
            inner, below = (down[level - 1] if level else in_channels), [*up, down[-1]][level + 1]
            if skip[level]:
                self.skip[str(level)] = layer(inner, skip[level], skip_by[level])
            self.down.append(Down(layer, inner, down[level], down_by[level], halve[level]))
            self.up.append(Up(layer, skip[level] + below, up[level], up_by[level], double[level], mix=mix))
        self.ending = nn.Conv2d(up[0], channels, 1, bias=bias)
        self.sigmoid = sigmoid
        self.multiple = 1 if set(halve) == {"stride"} else 2**depth
        borders = [
            max(2 * (d // 2), u // 2, s // 2) * 2**level
            for level, (d, u, s) in enumerate(zip(down_by, up_by, skip_by, strict=True))
        ]
        self.smallest = 1 + max(2**depth, *(borders if pad == "reflection" else [1]))

    def forward(self, x: Tensor) -> Tensor:
        """Map an input `b in_channels h w` of any size to a picture `b channels h w`."""
        features = pad_to_size(x, self.smallest, self.multiple).contiguous(memory_format=torch.channels_last)
        skipped: list[Tensor | None] = []
        for level, down in enumerate(self.down):
            skipped.append(self.skip[str(level)](features) if str(level) in self.skip else None)
            features = down(features)
        for up in reversed(self.up):
            features = up(features, skipped.pop())
        answer = to_picture(self.ending, features, x)
        return answer.sigmoid() if self.sigmoid else answer


class Down(nn.Module):
    """Two layers, of which the first halves the size: `b c h w` to `b d h/2 w/2`, rounded up if it is strided."""

    def __init__(self, layer: Callable[..., Layer], inner: int, outer: int, kernel: int, halve: Halving) -> None:
        super().__init__()
        self.first = layer(inner, outer, kernel, halve=halve)
        self.second = layer(outer, outer, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to half its size."""
        answer: Tensor = self.second(self.first(x))
        return answer


class Up(nn.Module):
    """Doubles the size of the coarser features, concatenates the skip, and applies two layers.

    * `layer`: makes a layer.
    * `inner`, `outer`: the channels of both together, and those of the output.
    * `kernel`: the side of the kernel of the first layer.
    * `upsample`: how the size is doubled.
    * `mix`: whether there is the second layer, of 1x1.
    """

    def __init__(
        self, layer: Callable[..., Layer], inner: int, outer: int, kernel: int, upsample: Doubling, *, mix: bool
    ) -> None:
        super().__init__()
        self.upsample: Doubling = upsample
        self.norm = BatchNorm(inner)
        self.spread = layer(inner, outer, kernel)
        self.mix = layer(outer, outer, 1) if mix else nn.Identity()

    def forward(self, x: Tensor, skipped: Tensor | None) -> Tensor:
        """Map `b c h w` to twice its size, or to the size of the skip where that is smaller."""
        x = double_size(x, self.upsample)
        if skipped is not None:
            height, width = (min(sides) for sides in zip(x.shape[-2:], skipped.shape[-2:], strict=True))
            x = concatenate(crop_middle(skipped, height, width), crop_middle(x, height, width))
        answer: Tensor = self.mix(self.spread(self.norm(x)))
        return answer


def _each(value: T | tuple[T, ...], depth: int, name: str) -> tuple[T, ...]:
    """Return one value for each level. Raises `ValueError` if there are not as many values as levels."""
    values = value if isinstance(value, tuple) else (value,) * depth
    if len(values) != depth:
        raise ValueError(f"{name} has {len(values)} values for {depth} levels: give one for all, or one for each")
    return values
