"""SAFMN as it was entered in the NTIRE 2023 challenge on efficient super-resolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import crop_to, to_picture
from restoration_comparators.edsr import conv
from restoration_comparators.small import enlarge_to_least

LEAST = 16
"""The smallest side of a picture of which a sixteenth is a pixel."""
TINY = 1e-6
"""Keeps the norm of a black picture from dividing by zero."""


class Modulation(nn.Module):
    """Quarters of the channels, pooled to ever smaller sizes, weigh the features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        part = width // 4
        self.mfr = nn.ModuleList(conv(part, part, groups=part, bias=False) for _ in range(4))
        self.aggr = conv(width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        size, parts = x.shape[-2:], list(x.chunk(4, dim=1))
        for level in (1, 2, 3):
            pooled = functional.adaptive_max_pool2d(parts[level], [side >> (level + 1) for side in size])
            parts[level] = functional.interpolate(self.mfr[level](pooled), size, mode="nearest")
        parts[0] = self.mfr[0](parts[0])
        weights: Tensor = functional.gelu(self.aggr(torch.cat(parts, 1))) * x
        return weights


class Mixer(nn.Module):
    """Mixes the channels of neighbouring pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ccm = nn.Sequential(conv(width, 2 * width, bias=False), nn.GELU(), conv(2 * width, width, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        answer: Tensor = self.ccm(x)
        return answer


class Modulated(nn.Module):
    """A block: the modulation and the mixer, each added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.safm, self.ccm = Modulation(width), Mixer(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        x = x + self.safm(x)
        answer: Tensor = x + self.ccm(x)
        return answer


class GlobalResponseNorm(nn.Module):
    """Weighs channels by their norm over the whole picture, divided by the mean of all norms (ConvNeXt V2)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        norms = x.float().norm(dim=(2, 3), keepdim=True)
        response = (norms / (norms.mean(dim=1, keepdim=True) + TINY)).to(x.dtype)
        weighed: Tensor = x * (1 + self.gamma * response) + self.beta
        return weighed


class SAFMN(nn.Module):
    """Blocks of modulated features, then pixel-shuffle, added to the picture as bilinear resampling enlarges it.

    Sun et al., "Spatially-Adaptive Feature Modulation for Efficient Image Super-Resolution", ICCV 2023,
    arXiv:2302.13800, with the norms of channels at the start that the entry of NTIRE 2023 has.

    * `channels`: the channels of pictures.
    * `width`: the channels of the features, a multiple of 4.
    * `blocks`: the number of blocks.
    * `scale`: how many times larger the answer is.
    """

    def __init__(self, *, channels: int = 3, width: int = 36, blocks: int = 8, scale: int = 4) -> None:
        super().__init__()
        if width < 4 or width % 4 or blocks < 1 or scale < 2:
            raise ValueError("width must be a multiple of 4, blocks at least 1, and scale at least 2")
        self.enlarges, self.scale = (scale,), scale
        self.reach = 32 * scale
        self.norm, self.to_feat = GlobalResponseNorm(width), conv(channels, width)
        self.feats = nn.Sequential(*(Modulated(width) for _ in range(blocks)))
        self.to_img = nn.Sequential(conv(width, channels * scale**2), nn.PixelShuffle(scale))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Map small pictures `y` to pictures of the size of `x`, both `b c h w`."""
        seen = enlarge_to_least(y, LEAST)
        features = self.feats(self.norm(self.to_feat(seen.contiguous(memory_format=torch.channels_last))))
        large = functional.interpolate(seen, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return to_picture(self.to_img, features, x) + crop_to(large, x)
