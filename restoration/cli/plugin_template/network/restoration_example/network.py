"""A few convolutions."""

from __future__ import annotations

from torch import Tensor, nn


class Convolutions(nn.Module):
    """Subtracts from a picture what three convolutions of 3x3 and `width` channels find in it."""

    def __init__(self, *, in_channels: int = 3, channels: int = 3, width: int = 32) -> None:
        super().__init__()
        self.channels = channels
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, with what is known beside it in further channels, `b in_channels h w`, to `b channels h w`."""
        found: Tensor = self.layers(x)
        return x[:, : self.channels] - found
