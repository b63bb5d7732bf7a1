"""FFDNet, which is given the level of the noise beside the picture."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import crop_to, pad_to_multiple, to_picture


class FFDNet(nn.Module):
    """A chain of convolutions at half the size, between pixel-unshuffle and pixel-shuffle.

    Zhang et al., "FFDNet: Toward a Fast and Flexible Solution for CNN-Based Image Denoising", TIP 2018,
    arXiv:1710.04026; parameters have the names of the authors' code. On the schedule `noise-level` the further channel
    of its input is the map of the noise; the colour network of the paper is that of the defaults with such a map.

    * `in_channels`, `channels`: the channels of the input and of the picture.
    * `width`: the channels of the features.
    * `depth`: the number of convolutions.
    * `each_channel`: whether each channel is taken for a grey picture by itself, as by the network for grey pictures.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        channels: int = 3,
        width: int = 96,
        depth: int = 12,
        each_channel: bool = False,
    ) -> None:
        super().__init__()
        if depth < 2:
            raise ValueError(f"depth must be at least 2, not {depth}")
        if in_channels < channels:
            raise ValueError(f"in_channels must be at least those of a picture, {channels}, not {in_channels}")
        self.channels, self.each_channel, self.reach = channels, each_channel, 2 * depth + 1
        if each_channel:
            in_channels, channels = in_channels - channels + 1, 1
        layers: list[nn.Module] = [nn.Conv2d(3 * channels + in_channels, width, 3, padding=1)]
        for _ in range(depth - 2):
            layers += [nn.ReLU(inplace=True), nn.Conv2d(width, width, 3, padding=1)]
        layers += [nn.ReLU(inplace=True), nn.Conv2d(width, 4 * channels, 3, padding=1)]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        padded = pad_to_multiple(x, 2, mode="replicate")
        picture, maps = padded[:, : self.channels], padded[:, self.channels :]
        if self.each_channel:
            picture = rearrange(picture, "b c h w -> (b c) 1 h w")
            maps = maps.repeat_interleave(self.channels, dim=0)
        half = functional.pixel_unshuffle(picture, 2)
        if maps.shape[1]:
            half = torch.cat([half, functional.avg_pool2d(maps, 2)], dim=1)
        features = self.model[:-1](half.contiguous(memory_format=torch.channels_last))
        answer = functional.pixel_shuffle(to_picture(self.model[-1], features, half), 2)
        if self.each_channel:
            answer = rearrange(answer, "(b c) 1 h w -> b c h w", c=self.channels)
        return crop_to(answer, x)
