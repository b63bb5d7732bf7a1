"""Rain: bright straight streaks in a few directions, and mist."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from einops import rearrange
from torch.nn import functional

from restoration.picture import round_to_levels
from restoration_tasks.drawing import between, uniform
from restoration_tasks.drops import add_drops

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Generator, Tensor

LENGTH = 16
"""The length of a streak in pixels, before it is stretched, rotated and made wider."""


class Rain:
    """Adds rain to pictures, each with directions, lengths, widths, densities and brightness of its own.

    Streaks are colourless layers that are added or screened, `1 - (1 - x)(1 - r)`, and then clipped as a camera clips
    them. The additive model is that of the Rain100 sets (Yang et al., "Deep Joint Rain Detection and Removal from a
    Single Image", CVPR 2017, equation 3).

    * `kind`: "streaks"; "drops", which are on the glass in front of the camera; or "mixed", which is both, with drops
      in a quarter of the pictures.
    * `strength`: the range of the mean brightness of the rain.
    * `layers`: the most layers of streaks.
    * `heavy`: the probability of heavy rain, which is dense, and in which crossing streaks add up beyond white. In
      other rain no sum of streaks is brighter than 1.1, so that sparse rain stays below the smallest `strength`.
    * `screened`: the probability that streaks are screened.
    * `mist`: the probability of mist, which mixes the picture with a grey before the rain.
    """

    def __init__(
        self,
        *,
        kind: Literal["streaks", "drops", "mixed"] = "streaks",
        strength: float | tuple[float, float] = (0.02, 0.45),
        layers: int = 5,
        heavy: float = 0.5,
        screened: float = 0.2,
        mist: float = 0.15,
    ) -> None:
        if layers < 1:
            raise ValueError(f"layers must be at least 1, not {layers}")
        if not (0 <= heavy <= 1 and 0 <= screened <= 1 and 0 <= mist <= 1):
            raise ValueError(f"heavy, screened and mist are probabilities, not {heavy}, {screened} and {mist}")
        self.strength = between("strength", strength, 0, 1)
        self.kind, self.layers = kind, layers
        self.heavy, self.screened, self.mist = heavy, screened, mist

    def __call__(self, x: Tensor, rng: Generator) -> Tensor:
        """Return rainy pictures, `b c h w` in [0, 1], rounded to 8 bits, for clean ones."""
        y = x if self.kind == "drops" else self._add_streaks(x, rng)
        if self.kind != "streaks":
            wet = torch.rand(x.shape[0], 1, 1, 1, generator=rng) < (1.0 if self.kind == "drops" else 0.25)
            y = torch.where(wet, add_drops(y, rng), y)
        return round_to_levels(y)

    def _add_streaks(self, x: Tensor, rng: Generator) -> Tensor:
        uniform = _uniform(x.shape[0], rng)
        fog, grey = uniform(0.05, 0.4), uniform(0.6, 0.95)
        fog = torch.where(uniform(0, 1) < self.mist, fog, torch.zeros(()))
        misty = x * (1 - fog) + grey * fog
        rain = self.streaks(x.shape[0], x.shape[-2], x.shape[-1], rng)
        summed = misty + rain
        return torch.where(uniform(0, 1) < self.screened, summed - misty * rain, summed)

    def streaks(self, batch: int, height: int, width: int, rng: Generator) -> Tensor:
        """Draw the rain, `b 1 h w`: its mean is at most `strength`, its peak at most 1.1 if it is not heavy."""
        uniform, normal = _uniform(batch, rng), _normal(batch, rng)
        heavy = uniform(0, 1) < self.heavy
        brightest = torch.zeros(batch, 1, 1, 1)
        main = 0.22 * normal()
        number = torch.randint(1, self.layers + 1, (batch, 1, 1, 1), generator=rng)
        rain = torch.zeros(batch, 1, height, width)
        for layer in range(self.layers):
            angle = main + (0.0 if layer == 0 else 0.16) * normal()
            angle = torch.where(uniform(0, 1) < (0.0 if layer == 0 else 0.2), angle + 0.5 * normal(), angle)
            weight = uniform(0.25, 1.0) * (layer < number)
            brightest = torch.maximum(brightest, weight)
            drawn = self._draw_layer(angle.clamp(-1.2, 1.2), heavy, height, width, rng)
            if bool(weight.any()):  # else only its random numbers are drawn
                rain = rain + weight * drawn()
        low, high = self.strength
        target = low + (high - low) * uniform(0, 1)
        gain = target / rain.mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-3)
        peak = torch.where(heavy, brightest, rain.amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-3))
        return rain * torch.minimum(gain, uniform(0.6, 1.1) / peak)

    def _draw_layer(
        self, angle: Tensor, heavy: Tensor, height: int, width: int, rng: Generator
    ) -> Callable[[], Tensor]:
        """Draw streaks of one direction each, `b 1 1 1` of angles from the vertical in radians.

        Return a function that makes `b 1 h w` of them.
        """
        uniform = _uniform(angle.shape[0], rng)
        length, thickness = 14 * 7 ** uniform(0, 1), 0.8 + 3.2 * uniform(0, 1) ** 2
        density, softness = 0.004 * 12 ** uniform(0, 1), uniform(0, 1)
        density = density * torch.where(heavy, 4 ** uniform(0, 1), torch.ones(()))
        side = math.ceil(math.hypot(height, width))
        rows, columns = math.ceil(side * LENGTH / 14) + 2 * LENGTH, math.ceil(side / 0.8) + 8
        scattered = _scatter_drops(density, rows, columns, rng)

        def streaks() -> Tensor:
            canvas = _draw_out(scattered(), softness < 0.5)
            grid = _make_grid(angle, LENGTH / length, 1 / thickness, height, width, canvas)
            return functional.grid_sample(canvas, grid, padding_mode="reflection", align_corners=True)

        return streaks


def _scatter_drops(density: Tensor, rows: int, columns: int, rng: Generator) -> Callable[[], Tensor]:
    """Draw single bright pixels at random positions, of the share `density`, `b 1 1 1`.

    Return a function that makes a canvas of them, `b 1 rows columns`.
    """
    batch = density.shape[0]
    area = rows * columns
    most = math.ceil(float(density.max()) * area)
    positions = torch.randint(0, area, (batch, most), generator=rng)
    bright = torch.rand(batch, most, generator=rng)

    def scattered() -> Tensor:
        kept = (0.35 + 0.65 * bright) * (torch.arange(most) < rearrange(density, "b 1 1 1 -> b 1") * area)
        drops = torch.zeros(batch, area).scatter_reduce_(1, positions, kept, "amax")
        return rearrange(drops, "b (rows columns) -> b 1 rows columns", rows=rows)

    return scattered


def _draw_out(drops: Tensor, flat: Tensor) -> Tensor:
    """Turn the drops of a canvas into streaks: uniform ones where `flat`, `b 1 1 1`, is True, else ones that fade.

    Each of the two is only made if a picture of the batch has such streaks.
    """
    rows = drops.shape[-2] - LENGTH + 1
    swelling = drops.new_zeros(())
    if not bool(flat.all()):
        swelling = _merge(drops, torch.add, (1, 2, 4, 1, 2, 4)).clamp(max=12)[..., :rows, :] / 8
    if not bool(flat.any()):
        return swelling
    return torch.where(flat, _merge(drops, torch.maximum, (1, 2, 4, 8)), swelling)


def _merge(drops: Tensor, merge: Callable[[Tensor, Tensor], Tensor], steps: tuple[int, ...]) -> Tensor:
    """Merge neighbours in a column, again and again, so that drops become streaks.

    1, 2, 4, 8 with `maximum` are flat streaks of 16 pixels; 1, 2, 4 twice with `add` swell and fade, 15 pixels long.
    """
    for step in steps:
        drops = merge(drops[..., step:, :], drops[..., :-step, :])
    return drops


def _make_grid(angle: Tensor, along: Tensor, across: Tensor, height: int, width: int, canvas: Tensor) -> Tensor:
    """Return where each pixel of the picture is on the canvas of upright streaks: `b h w 2` in [-1, 1]."""
    rows = rearrange(torch.arange(height) - (height - 1) / 2, "h -> 1 1 h 1")
    columns = rearrange(torch.arange(width) - (width - 1) / 2, "w -> 1 1 1 w")
    u = (columns * angle.cos() + rows * angle.sin()) * across
    v = (rows * angle.cos() - columns * angle.sin()) * along
    grid = torch.stack([u * 2 / (canvas.shape[-1] - 1), v * 2 / (canvas.shape[-2] - 1)], dim=-1)
    return rearrange(grid, "b 1 h w xy -> b h w xy")


def _uniform(batch: int, rng: Generator) -> Callable[[float, float], Tensor]:
    return lambda low, high: uniform(batch, low, high, rng)


def _normal(batch: int, rng: Generator) -> Callable[[], Tensor]:
    return lambda: torch.randn(batch, 1, 1, 1, generator=rng)
