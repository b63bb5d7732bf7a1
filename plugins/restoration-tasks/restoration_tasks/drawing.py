"""Numbers drawn for each picture of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Generator, Tensor


def uniform(batch: int, low: float, high: float, rng: Generator) -> Tensor:
    """Return one number a picture, between two: `b 1 1 1`."""
    return torch.rand(batch, 1, 1, 1, generator=rng).mul_(high - low).add_(low)


def between(name: str, value: float | tuple[float, float], least: float, most: float) -> tuple[float, float]:
    """Return a range for one number or two. Raises `ValueError` if they are not in order or not in [least, most]."""
    low, high = (value, value) if isinstance(value, (int, float)) else value
    if not least <= low <= high <= most:
        raise ValueError(f"{name} must be a number or two, {least:g} <= least <= most <= {most:g}, not {value}")
    return float(low), float(high)
