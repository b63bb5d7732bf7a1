"""DeepDeblur: the picture at several sizes, each restored with the answer of the smaller one beside it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import crop_to, pad_to_multiple, part_to_mend, to_picture

LEVELS = 255.0
"""The published weights see pictures in levels from 0 to this one."""
SPREAD = 2 / 3
"""The sigma in pixels of the Gaussian that goes before a picture is made half as large."""
RADIUS = 3
"""The pixels to each side of that Gaussian, which is cut off at four sigma."""


class Residual(nn.Module):
    """Two convolutions added to their input."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(width, width, kernel, padding=kernel // 2) for _ in range(2))
        self.body = nn.Sequential(first, nn.ReLU(inplace=True), second)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        answer: Tensor = self.body(x) + x
        return answer


class Scale(nn.Module):
    """A chain of residual blocks between two convolutions: the network of one size."""

    def __init__(self, inner: int, channels: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        first = nn.Conv2d(inner, width, kernel, padding=kernel // 2)
        last = nn.Conv2d(width, channels, kernel, padding=kernel // 2)
        self.body = nn.Sequential(first, *(Residual(width, kernel) for _ in range(blocks)), last)

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, perhaps with another one, `b inner h w`, to a picture `b channels h w`."""
        return to_picture(self.body[-1], self.body[:-1](x), x)


class Enlarged(nn.Module):
    """Makes a picture twice as large, by a convolution and pixel-shuffle."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        conv = nn.Conv2d(channels, 4 * channels, kernel, padding=kernel // 2)
        self.uppath = nn.Sequential(conv, nn.PixelShuffle(2))

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c 2h 2w`."""
        answer: Tensor = self.uppath(x)
        return answer


class DeepDeblur(nn.Module):
    """Networks of equal form for a picture and for smaller copies of it, from the smallest to the picture itself.

    Nah et al., "Deep Multi-scale Convolutional Neural Network for Dynamic Scene Deblurring", CVPR 2017,
    arXiv:1612.02177; parameters have the names of the authors' code for PyTorch.

    * `in_channels`, `channels`: the channels of the input and of the picture.
    * `width`: the channels of the features.
    * `blocks`: the number of residual blocks of each size.
    * `kernel`: the side of the convolutions, an odd number of pixels.
    * `scales`: the number of sizes.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        channels: int = 3,
        width: int = 64,
        blocks: int = 19,
        kernel: int = 5,
        scales: int = 3,
    ) -> None:
        super().__init__()
        if min(width, blocks, scales) < 1 or kernel < 1 or kernel % 2 == 0:
            raise ValueError("width, blocks and scales must be at least 1, and kernel an odd number")
        part_to_mend(in_channels, channels)
        fine = [Scale(in_channels + channels, channels, width, blocks, kernel) for _ in range(scales - 1)]
        self.body_models = nn.ModuleList([*fine, Scale(in_channels, channels, width, blocks, kernel)])
        ends = [Enlarged(channels, kernel) for _ in range(scales - 1)]
        self.conv_end_models = nn.ModuleList([nn.Identity(), *ends])  # by the number of the size, as in the files
        each = (kernel // 2) * (2 * blocks + 3) + RADIUS + 1
        self.reach = each * (2**scales - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        sizes = [pad_to_multiple(LEVELS * x, 2 ** (len(self.body_models) - 1), mode="replicate")]
        for _ in self.body_models[1:]:
            sizes.append(halved(sizes[-1]))
        seen = sizes[-1] - LEVELS / 2
        for place in reversed(range(1, len(sizes))):
            larger = self.conv_end_models[place](self.body_models[place](seen))
            finer = sizes[place - 1] - LEVELS / 2
            seen = torch.cat([finer, larger.to(finer.dtype)], 1)
        answer: Tensor = self.body_models[0](seen)
        return crop_to(answer / LEVELS + 0.5, x)


def halved(x: Tensor) -> Tensor:
    """Return pictures `b c h w` of even sides at half the size: smoothed by a Gaussian, then means of 2x2 pixels.

    Beyond the border pictures are mirrored with the border itself, as by scikit-image's `pyramid_gaussian`.
    """
    weights = [math.exp(-0.5 * (place / SPREAD) ** 2) for place in range(-RADIUS, RADIUS + 1)]
    kernel = x.new_tensor(weights) / sum(weights)
    channels = x.shape[1]
    for axis in (2, 3):
        x = torch.cat([_mirrored(x, axis, first=True), x, _mirrored(x, axis, first=False)], axis)
        shape = [1, 1, 1, 1]
        shape[axis] = len(weights)
        with torch.autocast(x.device.type, enabled=False):  # a picture keeps its precision
            x = functional.conv2d(x, kernel.view(shape).expand(channels, 1, *shape[2:]), groups=channels)
    return functional.avg_pool2d(x, 2)


def _mirrored(x: Tensor, axis: int, *, first: bool) -> Tensor:
    """Return what a mirrored picture has beyond its first or its last pixels; one too small is mirrored again."""
    side = x.shape[axis]
    places = torch.arange(-RADIUS, 0) if first else torch.arange(side, side + RADIUS)
    folded = places % (2 * side)
    return x.index_select(axis, torch.minimum(folded, 2 * side - 1 - folded).to(x.device))
