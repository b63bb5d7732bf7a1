"""What all networks of this plugin are made of: a convolution, a norm and an activation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from restoration_dip.downsampler import Downsampler
from restoration_dip.fast.norm import BatchNorm
from restoration_dip.fast.padding import mirrored
from restoration_dip.fast.winograd import Conv
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

Act = Literal["leaky-relu", "relu", "elu", "swish", "none"]
Halving = Literal["stride", "avg", "max", "lanczos2", "lanczos3"]
Doubling = Literal["bilinear", "nearest"]
Norm = Literal["batch", "instance", "none"]
Pad = Literal["reflection", "zero"]


class Layer(nn.Module):
    """Maps `b c h w` to `b d h w`, or to half the height and width in one of the ways of `halve`.

    The filters of Lanczos do not learn; in the original they do.
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
        self.shrink = _shrink(halve)
        self.norm = _norm(norm, outer)
        self.act = _act(act)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b d h w`."""
        if self.border:
            with torch.autocast(x.device.type, enabled=False):  # it would pad, and keep, in float32
                x = mirrored(x, self.border)
        answer: Tensor = self.act(self.norm(self.shrink(self.conv(x))))
        return answer


def doubled(x: Tensor, how: Doubling) -> Tensor:
    """Double the height and width of `b c h w`."""
    return functional.interpolate(x, scale_factor=2, mode=how, align_corners=False if how == "bilinear" else None)


def _shrink(halve: Halving | None) -> Callable[[Tensor], Tensor]:
    match halve:
        case "avg":
            return nn.AvgPool2d(2)
        case "max":
            return nn.MaxPool2d(2)
        case "lanczos2" | "lanczos3":
            return Downsampler(2, kernel=halve)
        case _:
            return nn.Identity()


def _norm(norm: Norm, channels: int) -> nn.Module:
    match norm:
        case "batch":
            return BatchNorm(channels)
        case "instance":
            return nn.InstanceNorm2d(channels)
        case "none":
            return nn.Identity()


def _act(act: Act) -> nn.Module:
    match act:  # in place: a gradient needs neither what a norm says nor what a convolution says
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
