"""AOD-Net, which takes haze away by one map that stands for its transmission and for the air light."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from restoration.framing import part_to_mend, to_picture


class AODNet(nn.Module):
    """Predicts K of the scattering model rewritten as `x = K y - K + 1`, from five small convolutions.

    Li et al., "AOD-Net: All-in-One Dehazing Network", ICCV 2017, equation 4. `in_channels` and `channels` are those of
    the input and of the picture.
    """

    def __init__(self, *, in_channels: int = 3, channels: int = 3) -> None:
        super().__init__()
        self.mended = part_to_mend(in_channels, channels)
        self.e_conv1 = nn.Conv2d(in_channels, channels, 1)
        self.e_conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.e_conv3 = nn.Conv2d(2 * channels, channels, 5, padding=2)
        self.e_conv4 = nn.Conv2d(2 * channels, channels, 7, padding=3)
        self.e_conv5 = nn.Conv2d(4 * channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        y = x[:, self.mended]
        one = self.e_conv1(x).relu()
        two = self.e_conv2(one).relu()
        three = self.e_conv3(torch.cat([one, two], 1)).relu()
        four = self.e_conv4(torch.cat([two, three], 1)).relu()
        k = to_picture(self.e_conv5, torch.cat([one, two, three, four], 1), y).relu()
        return (k * y - k + 1).relu()
