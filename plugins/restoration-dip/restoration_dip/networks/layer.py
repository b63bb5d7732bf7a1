"""The layer that all networks of this plugin are made of: a convolution, a norm and an activation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration_dip.downsampler import Downsampler
from restoration_dip.fast.norm import BatchNorm
from restoration_dip.fast.padding import pad_reflect
from restoration_dip.fast.winograd import Conv

if TYPE_CHECKING:
    from collections.abc import Callable

Act = Literal["leaky-relu", "relu", "elu", "swish", "none"]
Halving = Literal["stride", "avg", "max", "lanczos2", "lanczos3"]
Doubling = Literal["bilinear", "nearest"]
Norm = Literal["batch", "instance", "none"]
Pad = Literal["reflection", "zero"]


class Layer(nn.Module):
    """A convolution, a norm and an activation: `b c h w` to `b d h w`, or to half its height and width.

    * `inner`, `outer`: the channels of the input and of the output.
    * `kernel`: the side of the kernel, an odd number.
    * `halve`: how the size is halved; None keeps it. Lanczos filters are fixed here; in the original they are trained.
    * `act`: the activation.
    * `pad`: what is beyond the border.
    * `norm`: the norm before the activation.
    * `bias`: whether the convolution has a bias.
    """

    def __init__(
        self,
        inner: int,
        outer: int,
        kernel: int,
        *,
        halve: Halving | None = None,
        act: Act = "leaky-relu",
        pad: Pad = "reflection",
        norm: Norm = "batch",
        bias: bool = True,
    ) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"a kernel must have odd sides, not {kernel}")
        self.border = kernel // 2 if pad == "reflection" else 0
        zeros, stride = kernel // 2 - self.border, 2 if halve == "stride" else 1
        self.conv = Conv(inner, outer, kernel, stride, zeros, bias=bias)
        self.shrink = _make_downsampling(halve)
        self.norm = _make_norm(norm, outer)
        self.act = _make_activation(act)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b d h w`."""
        if self.border:
            with torch.autocast(x.device.type, enabled=False):  # it would pad, and keep, in float32
                x = pad_reflect(x, self.border)
        answer: Tensor = self.act(self.norm(self.shrink(self.conv(x))))
        return answer


def double_size(x: Tensor, how: Doubling) -> Tensor:
    """Double the height and width of `b c h w`."""
    return functional.interpolate(x, scale_factor=2, mode=how, align_corners=False if how == "bilinear" else None)


def _make_downsampling(halve: Halving | None) -> Callable[[Tensor], Tensor]:
    match halve:
        case "avg":
            return nn.AvgPool2d(2)
        case "max":
            return nn.MaxPool2d(2)
        case "lanczos2" | "lanczos3":
            return Downsampler(2, kernel=halve)
        case _:
            return nn.Identity()


def _make_norm(norm: Norm, channels: int) -> nn.Module:
    match norm:
        case "batch":
            return BatchNorm(channels)
        case "instance":
            return nn.InstanceNorm2d(channels)
        case "none":
            return nn.Identity()


def _make_activation(act: Act) -> nn.Module:
    match act:  # in place: the gradients need the outputs neither of the norm nor of the convolution
        case "leaky-relu":
            return nn.LeakyReLU(0.2, inplace=True)
        case "relu":
            return nn.ReLU(inplace=True)
        case "elu":
            return nn.ELU(inplace=True)
        case "swish":
            return nn.SiLU()
        case "none":
            return nn.Identity()
