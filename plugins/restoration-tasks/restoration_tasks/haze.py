"""Haze: light that is scattered on its way through the air, more with distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange, reduce
from torch.nn import functional

from restoration.picture import round_to_levels
from restoration.smoothing import local_mean
from restoration_tasks.drawing import between, uniform

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Haze:
    """Adds haze to pictures: `y = x t + A (1 - t)`, `t = exp(-depth)`, and rounds to 8 bits.

    The model is that of Koschmieder (1924), as in Narasimhan and Nayar, "Vision and the Atmosphere", 2002. The depth is
    drawn for each picture: planes, smooth hills, and objects in front of them, some with edges of the picture itself.
    `thickness` is the optical depth in the middle of its range, `airlight` the brightness of A, which is slightly
    coloured; a share `patchy` of the pictures has haze that is not homogeneous but lies in banks.
    """

    def __init__(
        self,
        *,
        thickness: float | tuple[float, float] = (0.1, 2.0),
        airlight: float | tuple[float, float] = (0.7, 1.0),
        patchy: float = 0.3,
    ) -> None:
        self.thickness, self.airlight = between("thickness", thickness, 0, 10), between("airlight", airlight, 0, 1)
        self.patchy = between("patchy", patchy, 0, 1)[0]

    def __call__(self, x: Tensor, rng: Generator) -> Tensor:
        """Return hazy pictures, `b c h w`, for clean ones."""
        batch, channels = x.shape[:2]
        light = uniform(batch, *self.airlight, rng)
        tint = uniform(batch, 0, 0.04, rng) * torch.randn(batch, channels, 1, 1, generator=rng)
        through = torch.exp(-self.depth(x, rng))
        y = x * through + (light + (tint if channels > 1 else 0)).clamp(0, 1) * (1 - through)
        return round_to_levels(y)

    def depth(self, x: Tensor, rng: Generator) -> Tensor:
        """Draw the optical depth in front of each pixel: `b 1 h w`."""
        batch, _, height, width = x.shape
        middle, spread = uniform(batch, *self.thickness, rng), uniform(batch, 0, 1, rng)
        shape = uniform(batch, 0, 1, rng) * _draw_plane(batch, height, width, rng)
        shape = shape + uniform(batch, 0, 1, rng) * draw_hills(batch, 3, height, width, rng)
        for field in (
            _brightness(x),
            draw_hills(batch, 5, height, width, rng),
            draw_hills(batch, 8, height, width, rng),
        ):
            step = torch.sigmoid(80 * (field - 0.6 * uniform(batch, -1, 1, rng)))
            shape = shape + torch.randn(batch, 1, 1, 1, generator=rng) * (uniform(batch, 0, 1, rng) < 0.5) * step
        shape = shape - shape.mean(dim=(2, 3), keepdim=True)
        shape = shape / shape.abs().amax(dim=(2, 3), keepdim=True).clamp(min=1e-6)
        depth = middle * (1 + 0.9 * spread * shape)
        banks = (1 + draw_hills(batch, 4, height, width, rng)).clamp(0, 2)
        return torch.where(uniform(batch, 0, 1, rng) < self.patchy, depth * banks, depth)


def draw_hills(batch: int, number: int, height: int, width: int, rng: Generator) -> Tensor:
    """Draw smooth random heights in about [-1, 1], `b 1 h w`, with about `number` hills a side and finer ones."""
    total = torch.zeros(batch, 1, height, width)
    for octave in range(3):
        side = number * 2**octave + 1
        grid = torch.randn(batch, 1, side, side, generator=rng)
        total = total + 0.5**octave * functional.interpolate(grid, (height, width), mode="bicubic", align_corners=True)
    return torch.tanh(total * 0.6)


def _draw_plane(batch: int, height: int, width: int, rng: Generator) -> Tensor:
    """Draw a plane that mostly rises to the top of the picture, as a floor or a street does: `b 1 h w` in [-1, 1]."""
    tilt = 0.6 * torch.randn(batch, 1, 1, 1, generator=rng)
    down = rearrange(torch.linspace(-1, 1, height), "h -> 1 1 h 1")
    across = rearrange(torch.linspace(-1, 1, width), "w -> 1 1 1 w")
    return (across * tilt.sin() - down * tilt.cos()) / 1.4


def _brightness(x: Tensor) -> Tensor:
    """Return the brightness of a picture, slightly blurred, from -1 to 1: at its edges an object may begin."""
    grey = reduce(x, "b c h w -> b 1 h w", "mean")
    return 2 * local_mean(grey, 2) - 1
