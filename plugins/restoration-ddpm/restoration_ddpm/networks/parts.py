"""What the published U-Nets have in common: the embedding of the step, and what is known about their size."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

PERIOD = 10000.0
"""The longest wave of an embedding, in steps (Vaswani et al., 2017, section 3.5)."""

NEAR = 1e-3
"""What is nearer to a step than this is that step."""


def embed(steps: Tensor, channels: int, *, first: Literal["sines", "cosines"] = "sines") -> Tensor:
    """Map numbers of steps, `b`, to `b channels` in float32: sines and cosines of waves from 1 to 10000 steps.

    In code that begins with the sines the longest wave has 10000 steps, in code that begins with the cosines it is the
    one after. An odd channel at the end is zero.
    """
    half = channels // 2
    last = max(half - 1, 1) if first == "sines" else half
    places = torch.arange(half, device=steps.device, dtype=torch.float32) / last
    angles = steps.float().reshape(-1, 1) * torch.exp(-math.log(PERIOD) * places)
    waves = [angles.sin(), angles.cos()] if first == "sines" else [angles.cos(), angles.sin()]
    return functional.pad(torch.cat(waves, dim=1), (0, channels % 2))


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Let every pixel attend to all others: `b heads pixels channels`, in time quadratic in the number of pixels."""
    return functional.scaled_dot_product_attention(queries, keys, values)


class UNet(nn.Module):
    """A U-Net that looks at the whole picture, in sizes that its levels can halve: windows would change its answer.

    * `levels`: how many sizes it works at.
    * `steps`: the steps of its training. At the time `t` in [0, 1] it is given the step `t steps - 1`, counted from 0.
    * `bytes_per_pixel`: about the memory of one evaluation.
    """

    tiles = False

    def __init__(self, *, levels: int, steps: int, bytes_per_pixel: int) -> None:
        super().__init__()
        if levels < 1 or steps < 1:
            raise ValueError(f"there must be at least one level and one step, not {levels} and {steps}")
        self.multiple, self.steps, self.bytes_per_pixel = 2 ** (levels - 1), steps, bytes_per_pixel

    def step(self, t: Tensor) -> Tensor:
        """Return the steps, counted from 0, of times `t`, `b` or a scalar: `b` or `1`, in float32.

        Times in single precision are not quite those of steps, which a network was trained with as whole numbers.
        """
        steps = t.float().reshape(-1) * self.steps - 1
        return torch.where((steps - steps.round()).abs() < NEAR, steps.round(), steps)


def check_widths(width: int, multipliers: tuple[float, ...], blocks: int) -> None:
    """Raise `ValueError` for levels that no U-Net has."""
    if width < 4 or width % 2 or not multipliers or min(*multipliers, blocks) <= 0:
        given = f"{width}, {multipliers} and {blocks}"
        raise ValueError(f"width must be even and at least 4, multipliers and blocks positive, not {given}")
