"""Motion as cameras see it: different in every part of the picture, and averaged in linear light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from restoration_tasks.camera import GAMMA
from restoration_tasks.haze import draw_hills

if TYPE_CHECKING:
    from torch import Generator, Tensor

FRAMES = 25
"""Positions that the light is averaged over while the shutter is open; the picture is sharp at the middle one."""
SPACING = 1.5
"""Pixels between two positions at most: a longer motion is averaged over more of them."""


def move(x: Tensor, path: Tensor, rng: Generator) -> Tensor:
    """Return pictures `b c h w` as a camera takes them that shakes, turns and advances while parts of the scene move.

    `path`, `b n 2`, are the shifts of the camera in pixels, across and down, at even times. What is near moves more
    than what is far; half of the pictures have a part that moves by itself. Frames are averaged in linear light, as in
    the GoPro set (Nah et al., "Deep Multi-scale Convolutional Neural Network for Dynamic Scene Deblurring", CVPR 2017).
    """
    return torch.cat([x[:0], *(_move_one(one[None], track, rng) for one, track in zip(x, path, strict=True))])


def _move_one(x: Tensor, path: Tensor, rng: Generator) -> Tensor:
    height, width = x.shape[-2:]
    reach = float((path.amax(dim=0) - path.amin(dim=0)).norm())
    turn, advance, depth, own = (float(value) for value in torch.randn(4, generator=rng))
    spread, part = torch.rand(2, generator=rng).tolist()
    centre = torch.rand(2, generator=rng) - 0.5
    near = 1 + 0.8 * spread * draw_hills(1, 2, height, width, rng)[0, 0]
    inside = torch.sigmoid(30 * (draw_hills(1, 2, height, width, rng)[0, 0] - 0.3)) * (part < 0.5)
    direction = torch.randn(2, generator=rng)
    direction = direction / direction.norm().clamp(min=1e-6) * reach * (0.3 + abs(own))

    rows = torch.arange(height, dtype=torch.float32) - (height - 1) / 2
    columns = torch.arange(width, dtype=torch.float32) - (width - 1) / 2
    across, down = columns[None] - float(centre[0]) * width, rows[:, None] - float(centre[1]) * height
    radius = max(height, width) / 2
    number = int(min(64, max(FRAMES, reach / SPACING)))
    times = torch.linspace(-0.5, 0.5, number)
    shifts = functional.interpolate(path.T[None], number, mode="linear", align_corners=True)[0].T
    shifts = shifts - shifts[number // 2]
    angle, zoom = 0.35 * turn * reach / radius, 0.2 * advance * depth * reach / radius
    total = torch.zeros_like(x)
    light = x.clamp(0, 1) ** GAMMA
    for time, shift in zip(times.tolist(), shifts, strict=True):
        dx = near * shift[0] + time * (zoom * across - angle * down)
        dy = near * shift[1] + time * (zoom * down + angle * across)
        dx, dy = (
            torch.lerp(camera, camera + time * one, inside) for camera, one in zip((dx, dy), direction, strict=True)
        )
        grid = torch.stack([(columns[None] + dx) * 2 / width, (rows[:, None] + dy) * 2 / height], dim=-1)
        total += functional.grid_sample(light, grid[None], padding_mode="reflection", align_corners=False)
    return (total / number).clamp(0, 1) ** (1 / GAMMA)
