"""The networks of Noise2Noise: down to a 32nd of the size and up again, with the states on the way on a stack."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import pad_to_multiple, to_picture

if TYPE_CHECKING:
    from collections.abc import Mapping

Activation = Literal["leaky_relu", "relu"]

DEEPEST = 5
"""Pictures are halved at most so often: windows begin at multiples of 32 pixels, so deeper ones would not fit them."""


class StackUNet(nn.Module):
    """The network of the paper (Lehtinen et al., ICML 2018, arXiv:1803.04189, table 2), with its names of layers.

    Weights of the authors can be loaded: see `from_tensorflow`. The input is a picture in [0, 1], of which 0.5 is
    subtracted inside, and so is the output.

    * `in_channels`, `channels`: the channels of the input and of the picture.
    * `width`: the channels of the first half; the second has twice as many.
    * `depth`: how often the size is halved.
    * `activation`: after all layers but the last: "leaky_relu" or "relu".
    * `slope`: that of the leaky ReLU for negative values.
    * `batch_norm`: whether there is batch norm before each activation.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        channels: int = 3,
        width: int = 48,
        depth: int = 5,
        activation: Activation = "leaky_relu",
        slope: float = 0.1,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        _check(width, depth, shallowest=1)
        self.depth, self.slope = depth, 0.0 if activation == "relu" else slope
        self.reach = reach_of(depth)
        wide, narrow = 4 * width // 3, 2 * width // 3
        layers = {"enc_conv0": (in_channels, width)}
        layers |= {f"enc_conv{level}": (width, width) for level in range(1, depth + 2)}
        below = width
        for level in range(depth, 1, -1):
            layers[f"dec_conv{level}"] = (below + width, 2 * width)
            layers[f"dec_conv{level}b"] = (2 * width, 2 * width)
            below = 2 * width
        layers |= {"dec_conv1a": (below + in_channels, wide), "dec_conv1b": (wide, narrow)}
        for name, (inner, outer) in layers.items():
            self.add_module(name, _conv(nn.Conv2d(inner, outer, 3, padding=1), self.slope))
        self.norms = nn.ModuleDict({name: nn.BatchNorm2d(outer) for name, (_, outer) in layers.items() if batch_norm})
        self.dec_conv1 = _conv(nn.Conv2d(narrow, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        state = pad_to_multiple(x - 0.5, 2**self.depth).contiguous(memory_format=torch.channels_last)
        skips = [state]
        state = self._layer("enc_conv0", state)
        for level in range(1, self.depth + 1):
            state = functional.max_pool2d(self._layer(f"enc_conv{level}", state), 2)
            skips.append(state)
        state = self._layer(f"enc_conv{self.depth + 1}", skips.pop())
        for level in range(self.depth, 0, -1):
            state = functional.interpolate(state, scale_factor=2, mode="nearest")
            state = torch.cat([state, skips.pop()], dim=1)
            for name in (f"dec_conv{level}", f"dec_conv{level}b") if level > 1 else ("dec_conv1a", "dec_conv1b"):
                state = self._layer(name, state)
        return to_picture(self.dec_conv1, state, x) + 0.5

    def _layer(self, name: str, state: Tensor) -> Tensor:
        state = self.get_submodule(name)(state)
        if name in self.norms:
            state = self.norms[name](state)
        return functional.leaky_relu(state, self.slope)


class SharedUNet(nn.Module):
    """The same in the layout of the PyTorch code that most people know, joeylitalien/noise2noise-pytorch.

    It differs: two blocks serve several sizes with the same weights, sizes are doubled by transposed convolutions, the
    last layer has a leaky ReLU, and nothing is subtracted. Its published weights can be loaded by their names.

    * `in_channels`, `channels`, `width`, `batch_norm`: as in `StackUNet`.
    * `depth`: how often the size is halved, at least 3 times.
    * `activation`: "relu" or "leaky_relu".
    * `slope`: that of the leaky ReLU for negative values, which also follows the last layer.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        channels: int = 3,
        width: int = 48,
        depth: int = 5,
        activation: Activation = "relu",
        slope: float = 0.1,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        _check(width, depth, shallowest=3)
        self.depth, self.slope = depth, slope
        self.reach = reach_of(depth, transposed=True)
        inner_slope = 0.0 if activation == "relu" else slope

        def block(*widths: int, up: bool = False) -> nn.Sequential:
            layers: list[nn.Module] = []
            for inner, outer in pairwise(widths):
                layers.append(_conv(nn.Conv2d(inner, outer, 3, padding=1), inner_slope))
                norm = [nn.BatchNorm2d(outer)] if batch_norm else []
                layers.append(nn.Sequential(*norm, nn.LeakyReLU(inner_slope)))
            if up:
                conv = nn.ConvTranspose2d(widths[-1], widths[-1], 3, stride=2, padding=1, output_padding=1)
                layers.append(_conv(conv))
            return nn.Sequential(*layers)

        wide, narrow = 4 * width // 3, 2 * width // 3
        self._block1 = block(in_channels, width, width)
        self._block2 = block(width, width)
        self._block3 = block(width, width, up=True)
        self._block4 = block(2 * width, 2 * width, 2 * width, up=True)
        self._block5 = block(3 * width, 2 * width, 2 * width, up=True)
        self._block6 = block(2 * width + in_channels, wide, narrow)
        self._block6.append(_conv(nn.Conv2d(narrow, channels, 3, padding=1)))

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        state = pad_to_multiple(x, 2**self.depth).contiguous(memory_format=torch.channels_last)
        skips = [state]
        for encoder in [self._block1, *[self._block2] * (self.depth - 1)]:
            state = functional.max_pool2d(encoder(state), 2)
            skips.append(state)
        state = self._block3(skips.pop())
        for decoder in [self._block4, *[self._block5] * (self.depth - 2)]:
            state = decoder(torch.cat([state, skips.pop()], dim=1))
        state = self._block6[:-1](torch.cat([state, skips.pop()], dim=1))
        return functional.leaky_relu(to_picture(self._block6[-1], state, x), self.slope)


class TwoLayers(nn.Module):
    """The network of Zero-Shot Noise2Noise (Mansour and Heckel, CVPR 2023): two 3x3 layers that predict the noise.

    Input and output are pictures in [0, 1]; the noise is subtracted inside.
    """

    reach = 2

    def __init__(self, *, in_channels: int = 3, channels: int = 3, width: int = 48) -> None:
        super().__init__()
        if in_channels < channels or width < 1:
            raise ValueError("in_channels must be at least those of a picture, and width at least 1")
        self.channels = channels
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = nn.Conv2d(width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map a noisy picture, and further channels after it, `b in_channels h w`, to a clean one."""
        state = functional.leaky_relu(self.conv1(x.contiguous(memory_format=torch.channels_last)), 0.2)
        state = functional.leaky_relu(self.conv2(state), 0.2)
        return x[:, : self.channels] - to_picture(self.conv3, state, x)


def from_tensorflow(variables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of a `StackUNet` for variables of the authors' code: `enc_conv0/weight`, `h w i o`."""
    return {
        name.replace("/", "."): rearrange(value, "h w i o -> o i h w").contiguous() if value.ndim == 4 else value
        for name, value in variables.items()
    }


def reach_of(depth: int, *, transposed: bool = False) -> int:
    """Return how far away a pixel can change the output of a network that halves the size `depth` times.

    Of the steps back from an output pixel: three convolutions at full size, two at each smaller one, and one at the
    smallest; then a pooling and a convolution for each size, and two for the full one. A pooled pixel stands for two,
    and so does a doubled one; a transposed convolution looks one small pixel further on one side.
    """
    extent = 0
    for start in range(2**depth):  # where in the smallest pixel it is
        first, last = start - 3, start + 3
        for level in range(1, depth + 1):
            first, last = first >> 1, (last + transposed) >> 1
            widened = 2 if level < depth else 1
            first, last = first - widened, last + widened
        for level in range(depth - 1, -1, -1):
            widened = 1 if level else 2
            first, last = 2 * first - widened, 2 * last + 1 + widened
        extent = max(extent, start - first, last - start)
    return extent


def _check(width: int, depth: int, *, shallowest: int) -> None:
    if not shallowest <= depth <= DEEPEST or width < 3:
        raise ValueError(f"depth must be {shallowest} to {DEEPEST} and width at least 3, not {depth} and {width}")


def _conv(conv: nn.Conv2d | nn.ConvTranspose2d, slope: float = 1.0) -> nn.Conv2d | nn.ConvTranspose2d:
    """Draw weights after He et al. for what follows: a leaky ReLU of this slope, which is none at 1."""
    nn.init.kaiming_normal_(conv.weight, a=slope)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv
