"""The U-Net that maps pictures to small latents and back, for Latent Refusion.

After the code of Luo et al., "Refusion: Enabling Large-Size Realistic Image Restoration with Latent-Space Diffusion
Models", CVPR Workshops 2023, arXiv:2304.08291 (MIT). Modules are named and numbered as theirs, so that published
weights load unchanged.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from restoration.framing import pad_to_multiple, to_picture
from restoration_networks.attention import LinearAttention
from restoration_networks.conditional_unet import Block, Shortcut


class Hidden(NamedTuple):
    """What a latent does not contain: the features of every level, largest first, and the picture itself."""

    features: tuple[Tensor, ...]
    picture: Tensor


class ResidualBlock(nn.Module):
    """Two blocks without a time, and a shortcut."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.block1 = Block(inner, outer)
        self.block2 = Block(outer, outer)
        self.res_conv = nn.Identity() if inner == outer else nn.Conv2d(inner, outer, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b d h w`."""
        changed: Tensor = self.block2(self.block1(x)) + self.res_conv(x)
        return changed


class LatentUNet(nn.Module):
    """A U-Net in two halves: `encode` maps to a latent, smaller by `2^(levels - 1)`, and `decode` maps back.

    `multipliers` are the channels of each level in units of `width`. The defaults are those for dehazing, 2 million
    parameters; those for bokeh are width 64, multipliers 1, 2, 4 and 4 latent channels. As a plain network it maps a
    picture through its latent to a picture.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        channels: int = 3,
        width: int = 8,
        multipliers: tuple[int, ...] = (4, 8, 8, 16),
        latent_channels: int = 8,
    ) -> None:
        super().__init__()
        if not multipliers or min(*multipliers, width, latent_channels) < 1:
            raise ValueError(
                "multipliers must be one or more, and they, width and latent_channels at least 1, "
                f"not {list(multipliers)}, {width} and {latent_channels}"
            )
        self.multiple = 2 ** len(multipliers)
        self.init_conv = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        widths = [width, *(width * multiplier for multiplier in multipliers)]
        deepest = len(multipliers) - 1
        pairs = list(enumerate(pairwise(widths)))
        self.encoder = nn.ModuleList(_make_down(c, d, last=level == deepest) for level, (c, d) in pairs)
        self.latent_conv = nn.Conv2d(widths[-1], latent_channels, 1, bias=False)
        self.post_latent_conv = nn.Conv2d(latent_channels, widths[-1], 1, bias=False)
        self.decoder = nn.ModuleList(
            _make_up(d, c, first=level == deepest, last=level == 0) for level, (c, d) in reversed(pairs)
        )
        self.final_conv = nn.Conv2d(width, channels, 3, padding=1)

    def encode(self, x: Tensor) -> tuple[Tensor, Hidden]:
        """Return the latent `b e h' w'` of pictures `b c h w`, with sides rounded up, and what it does not contain."""
        padded = pad_to_multiple(x, self.multiple).contiguous(memory_format=torch.channels_last)
        found = self.init_conv(padded)
        features = [found]
        for level in self.encoder:
            one, two, attend, down = cast("nn.ModuleList", level)
            found = one(found)
            features.append(found)
            found = attend(two(found))
            features.append(found)
            found = down(found)
        with torch.autocast(x.device.type, enabled=False):  # a latent is a diffusion state: as exact as a picture
            latent: Tensor = self.latent_conv(found.to(x.dtype))
        return latent, Hidden(tuple(features), x)

    def decode(self, latent: Tensor, hidden: Hidden) -> Tensor:
        """Return pictures `b d h w` from latents `b e h' w'` and `hidden` features, of the same or other pictures."""
        first, *skips = hidden.features
        features = self.post_latent_conv(latent.contiguous(memory_format=torch.channels_last))
        for level in self.decoder:
            one, two, attend, up = cast("nn.ModuleList", level)
            features = one(torch.cat([features, skips.pop()], dim=1))
            features = attend(two(torch.cat([features, skips.pop()], dim=1)))
            features = up(features)
        return to_picture(self.final_conv, features + first, hidden.picture)

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        return self.decode(*self.encode(x))


def _make_down(inner: int, outer: int, *, last: bool) -> nn.ModuleList:
    attend = Shortcut(inner, LinearAttention(inner)) if last else nn.Identity()
    shrink = nn.Conv2d(inner, outer, 3, padding=1, bias=False) if last else nn.Conv2d(inner, outer, 4, 2, padding=1)
    return nn.ModuleList([ResidualBlock(inner, inner), ResidualBlock(inner, inner), attend, shrink])


def _make_up(inner: int, outer: int, *, first: bool, last: bool) -> nn.ModuleList:
    attend = Shortcut(inner, LinearAttention(inner)) if first else nn.Identity()
    grow = nn.Conv2d(inner, outer, 3, padding=1, bias=not last)
    enlarge = grow if last else nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), grow)
    blocks = [ResidualBlock(inner + outer, inner), ResidualBlock(inner + outer, inner)]
    return nn.ModuleList([*blocks, attend, enlarge])
