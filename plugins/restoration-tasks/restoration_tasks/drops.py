"""Drops of rain on the glass in front of a camera: small lenses that show the scene upside down and blurred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Generator, Tensor

AREA = 6000
"""There is at most one drop for this many pixels, but two in small pictures."""


def add_drops(x: Tensor, rng: Generator) -> Tensor:
    """Return pictures `b c h w` seen through glass with drops, each of its own position, size and shape.

    A drop is a lens of short focus: it shows a wide part of the scene upside down and out of focus, with a darker rim
    and a highlight from above; its edge is soft, since the glass is out of focus too (after Qian et al., "Attentive
    Generative Adversarial Network for Raindrop Removal From a Single Image", CVPR 2018).
    """
    return torch.cat([_add_drops_to_one(one[None], rng) for one in x])


def _add_drops_to_one(x: Tensor, rng: Generator) -> Tensor:
    height, width = x.shape[-2:]
    scene = functional.adaptive_avg_pool2d(x, 20)
    positions = torch.stack(torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"))
    row, column = torch.arange(height)[:, None], torch.arange(width)
    cover, lens, shade = torch.zeros(height, width), positions.clone(), torch.zeros(height, width)
    for top, left, size, tall, soft, power in _draw_drops(height, width, rng):
        radius = 3 + 22 * size**2
        v, u = (row - top * height) / (radius * (1 + 0.6 * tall)), (column - left * width) / radius
        v = v * (1 + 0.25 * (v < 0))  # drops hang: narrower above
        distance = (u * u + v * v).sqrt()
        edge = 0.15 + 0.5 * soft
        inside = ((1 - distance) / edge + 0.5).clamp(0, 1)
        deep = inside > cover
        reach = 0.15 + 0.35 * power
        shown = torch.stack([(at * 2 - 1 - reach * w).expand_as(cover) for at, w in ((top, v), (left, u))])
        lens = torch.where(deep, shown, lens)
        shade = torch.where(deep, 0.12 * (-v).clamp(0, 1) - 0.25 * (distance - 0.6).clamp(0, 0.4), shade)
        cover = torch.maximum(cover, inside)
    folded = 1 - (lens + 1).remainder(4).sub(2).abs()  # beyond the edge the scene is mirrored
    grid = rearrange(folded, "yx h w -> 1 h w yx").flip(-1)
    drop = functional.grid_sample(scene, grid, mode="bicubic", padding_mode="border", align_corners=True) + shade
    return x + cover * (drop - x)


def _draw_drops(height: int, width: int, rng: Generator) -> list[list[float]]:
    """Draw six numbers in [0, 1] for each drop: two for its position, then size, shape, softness and power."""
    most = max(2, height * width // AREA)
    number = int(torch.randint(1, most + 1, (), generator=rng))
    drawn: list[list[float]] = torch.rand(number, 6, generator=rng).tolist()
    return drawn
