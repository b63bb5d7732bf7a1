"""The U-Nets of IR-SDE and of Denoising-SDE; their parameters have the published names.

After the code of Luo et al., "Image Restoration with Mean-Reverting Stochastic Differential Equations", ICML 2023,
arXiv:2301.11699 (MIT). Modules are named and numbered as theirs; the picture is halved `depth - 1` times, though it is
padded for `depth`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import pad_to_multiple, to_picture
from restoration_networks.attention import FullAttention, LinearAttention
from restoration_networks.norm import GainNorm
from restoration_networks.time import SinusoidalEmbedding


class Block(nn.Module):
    """A 3x3 convolution, scaled and shifted by the time if one is given, and SiLU."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inner, outer, 3, padding=1, bias=False)

    def forward(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """Map `b c h w` to `b d h w`; `scale` and `shift` are `b d 1 1`, or `1 d 1 1` for all."""
        x = self.proj(x)
        if scale is not None and shift is not None:
            x = torch.addcmul(shift, x, 1 + scale)
        return functional.silu(x)


class ResidualBlock(nn.Module):
    """Two blocks, of which the first is conditioned on the time, and a shortcut."""

    def __init__(self, inner: int, outer: int, time_channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time_channels, 2 * outer))
        self.block1 = Block(inner, outer)
        self.block2 = Block(outer, outer)
        self.res_conv = nn.Identity() if inner == outer else nn.Conv2d(inner, outer, 1, bias=False)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map `b c h w` to `b d h w`; `time` is the embedding, `b t`, or `1 t` for all."""
        scale, shift = rearrange(self.mlp(time), "b (two c) -> two b c 1 1", two=2)
        changed: Tensor = self.block2(self.block1(x, scale, shift)) + self.res_conv(x)
        return changed


class Normed(nn.Module):
    """A layer after its norm."""

    def __init__(self, channels: int, layer: nn.Module) -> None:
        super().__init__()
        self.fn = layer
        self.norm = GainNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        return cast("Tensor", self.fn(self.norm(x)))


class Shortcut(nn.Module):
    """A normed layer and a shortcut."""

    def __init__(self, channels: int, layer: nn.Module) -> None:
        super().__init__()
        self.fn = Normed(channels, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        return cast("Tensor", self.fn(x) + x)


class TimedUNet(nn.Module):
    """What the two U-Nets have in common: residual blocks and linear attention at every level, conditioned on the time.

    * `inner`, `outer`: the channels of the input and of the output.
    * `width`: the channels at full size, doubled at each level.
    * `depth`: the number of levels.
    * `time_scale`: the number of steps T of the training.
    * `attention`: the attention in the middle.
    """

    def __init__(
        self, inner: int, outer: int, *, width: int, depth: int, time_scale: float, attention: type[nn.Module]
    ) -> None:
        super().__init__()
        if depth < 1 or width < 4 or width % 2:
            raise ValueError(f"depth must be at least 1 and width even and at least 4, not {depth} and {width}")
        self.multiple = 2**depth
        time = 4 * width
        self.time_mlp = nn.Sequential(
            SinusoidalEmbedding(width, time_scale), nn.Linear(width, time), nn.GELU(), nn.Linear(time, time)
        )
        self.init_conv = nn.Conv2d(inner, width, 7, padding=3, bias=False)
        widths = [width * 2**level for level in range(depth + 1)]
        pairs = list(pairwise(widths))
        self.downs = nn.ModuleList(_make_down(c, d, time, last=d == widths[-1]) for c, d in pairs)
        self.mid_block1 = ResidualBlock(widths[-1], widths[-1], time)
        self.mid_attn = Shortcut(widths[-1], attention(widths[-1]))
        self.mid_block2 = ResidualBlock(widths[-1], widths[-1], time)
        self.ups = nn.ModuleList(_make_up(d, c, time, last=c == width) for c, d in reversed(pairs))
        self.final_res_block = ResidualBlock(2 * width, width, time)
        self.final_conv = nn.Conv2d(width, outer, 3, padding=1)

    def predict(self, x: Tensor, t: Tensor) -> Tensor:
        """Map an input `b c h w` of any size, at times `t`, `b` or `1` or a scalar, to `b d h w`."""
        time = self.time_mlp(t)
        padded = pad_to_multiple(x, self.multiple).contiguous(memory_format=torch.channels_last)
        first = features = self.init_conv(padded)
        skips = []
        for level in self.downs:
            one, two, attend, down = cast("nn.ModuleList", level)
            features = one(features, time)
            skips.append(features)
            features = attend(two(features, time))
            skips.append(features)
            features = down(features)
        features = self.mid_block2(self.mid_attn(self.mid_block1(features, time)), time)
        for level in self.ups:
            one, two, attend, up = cast("nn.ModuleList", level)
            features = one(torch.cat([features, skips.pop()], dim=1), time)
            features = two(torch.cat([features, skips.pop()], dim=1), time)
            features = up(attend(features))
        features = self.final_res_block(torch.cat([features, first], dim=1), time)
        return to_picture(self.final_conv, features, x)


class ConditionalUNet(TimedUNet):
    """The U-Net of IR-SDE. `time_scale` is the T of its training: 100 for the published weights."""

    def __init__(self, *, channels: int = 3, width: int = 64, depth: int = 4, time_scale: float = 100.0) -> None:
        super().__init__(
            2 * channels, channels, width=width, depth=depth, time_scale=time_scale, attention=LinearAttention
        )

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Predict from the state `x` and the degraded image `y`, both `b c h w`, at times `t` in [0, 1], `b` or `1`."""
        return self.predict(torch.cat([x - y, y], dim=1), t)


class UnconditionalUNet(TimedUNet):
    """The U-Net of Denoising-SDE: it has no degraded image beside the state, and full attention in the middle."""

    def __init__(
        self, *, in_channels: int = 3, channels: int = 3, width: int = 64, depth: int = 4, time_scale: float = 100.0
    ) -> None:
        super().__init__(
            in_channels, channels, width=width, depth=depth, time_scale=time_scale, attention=FullAttention
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Predict from the state `x`, `b c h w`, at times `t` in [0, 1], `b` or `1`."""
        return self.predict(x, t)


def _make_down(inner: int, outer: int, time: int, *, last: bool) -> nn.ModuleList:
    shrink = nn.Conv2d(inner, outer, 3, padding=1, bias=False) if last else nn.Conv2d(inner, outer, 4, 2, padding=1)
    blocks = [ResidualBlock(inner, inner, time), ResidualBlock(inner, inner, time)]
    return nn.ModuleList([*blocks, Shortcut(inner, LinearAttention(inner)), shrink])


def _make_up(inner: int, outer: int, time: int, *, last: bool) -> nn.ModuleList:
    grow = nn.Conv2d(inner, outer, 3, padding=1, bias=not last)
    blocks = [ResidualBlock(inner + outer, inner, time), ResidualBlock(inner + outer, inner, time)]
    enlarge = grow if last else nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), grow)
    return nn.ModuleList([*blocks, Shortcut(inner, LinearAttention(inner)), enlarge])
