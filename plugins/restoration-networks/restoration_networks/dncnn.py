"""DnCNN: a plain stack of convolutions that predicts the noise of a picture."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from restoration.framing import part_to_mend, to_picture


class DnCNN(nn.Module):
    """3x3 convolutions with batch norm between the first and the last (Zhang et al., TIP 2017, arXiv:1608.03981).

    * `in_channels`, `channels`: the channels of the input and of the picture.
    * `width`: the channels of the features.
    * `depth`: the number of convolutions.
    * `batch_norm`: whether there are batch norms, which need more than one pixel in training.
    * `ending_bias`: whether the last convolution has a bias.
    * `each_channel`: whether each channel is taken for a grey picture by itself, as by networks for grey pictures.
    * `residual`: whether the prediction is subtracted from the picture, see `part_to_mend`; else it is the output.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        channels: int = 3,
        width: int = 64,
        depth: int = 17,
        batch_norm: bool = True,
        ending_bias: bool = False,
        each_channel: bool = False,
        residual: bool = True,
    ) -> None:
        super().__init__()
        if depth < 2:
            raise ValueError(f"depth must be at least 2, not {depth}")
        if each_channel and in_channels != channels:
            raise ValueError("each_channel is for a network that is given the picture alone")
        self.each_channel, self.reach = each_channel, depth
        if each_channel:
            in_channels = channels = 1
        self.mended = part_to_mend(in_channels, channels) if residual else None
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            layers.append(nn.Conv2d(width, width, 3, padding=1, bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU(inplace=True))
        layers.append(nn.Conv2d(width, channels, 3, padding=1, bias=ending_bias))
        self.dncnn = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        if self.each_channel and x.shape[1] > 1:
            grey = bool((x == x[:, :1]).all())
            answer: Tensor = self(x[:, :1] if grey else rearrange(x, "b c h w -> (b c) 1 h w"))
            return answer.expand_as(x) if grey else rearrange(answer, "(b c) 1 h w -> b c h w", c=x.shape[1])
        x = x.contiguous(memory_format=torch.channels_last)
        found = to_picture(self.dncnn[-1], self.dncnn[:-1](x), x)
        return found if self.mended is None else x[:, self.mended] - found
