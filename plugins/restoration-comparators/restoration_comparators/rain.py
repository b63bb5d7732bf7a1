"""PReNet, which removes rain in several passes of one small network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from restoration.framing import part_to_mend, to_picture

BLOCKS = 5
"""The residual blocks of a pass."""


class PReNet(nn.Module):
    """Passes of the same residual blocks behind a convolutional LSTM, each over its last answer and the picture.

    Ren et al., "Progressive Image Deraining Networks", CVPR 2019, arXiv:1901.09221; parameters have the published
    names, but those of the blocks are numbered from 1 in their file as here.

    * `in_channels`, `channels`: the channels of the input and of the picture.
    * `width`: the channels of the features.
    * `passes`: how often the network is applied.
    """

    def __init__(self, *, in_channels: int = 3, channels: int = 3, width: int = 32, passes: int = 6) -> None:
        super().__init__()
        if passes < 1:
            raise ValueError(f"passes must be at least 1, not {passes}")
        self.mended = part_to_mend(in_channels, channels)
        self.width, self.passes = width, passes
        self.reach = (3 + 2 * BLOCKS) * passes
        self.conv0 = _activated(in_channels + channels, width, nn.ReLU())
        for gate in "ifo":
            self.add_module(f"conv_{gate}", _activated(2 * width, width, nn.Sigmoid()))
        self.conv_g = _activated(2 * width, width, nn.Tanh())
        for block in range(1, BLOCKS + 1):
            self.add_module(f"res_conv{block}", _activated(width, width, nn.ReLU(), nn.ReLU()))
        self.conv = nn.Sequential(nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        x = x.contiguous(memory_format=torch.channels_last)
        picture = answer = x[:, self.mended]
        hidden = x.new_zeros(len(x), self.width, *x.shape[-2:])
        cell = hidden
        for _ in range(self.passes):
            seen = torch.cat([self.conv0(torch.cat([x, answer], 1)), hidden], 1)
            forget, let_in, new, out = (self.get_submodule(f"conv_{gate}")(seen) for gate in "figo")
            cell = forget * cell + let_in * new
            hidden = out * cell.tanh()
            features = hidden
            for block in range(1, BLOCKS + 1):
                features = (self.get_submodule(f"res_conv{block}")(features) + features).relu()
            answer = to_picture(self.conv, features, picture) + picture
        return answer


def _activated(inner: int, outer: int, *activations: nn.Module) -> nn.Sequential:
    """Return 3x3 convolutions, each with its activation."""
    layers: list[nn.Module] = []
    for activation in activations:
        layers += [nn.Conv2d(inner, outer, 3, padding=1), activation]
        inner = outer
    return nn.Sequential(*layers)
