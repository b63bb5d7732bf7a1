"""A straight path."""

from __future__ import annotations

import torch
from torch import Tensor


class Straight:
    """A straight line from the clean picture to nearly the degraded one: a = 1 - 0.9 t, b = 0.9 t, c = `noise` t."""

    def __init__(self, *, noise: float = 0.1) -> None:
        if noise <= 0:
            raise ValueError(f"noise must be positive, not {noise}")
        self.noise = noise

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `a`, `b` and `c` at times `t` of any shape, in float64 and of the same shape."""
        t = t.double()
        return 1 - 0.9 * t, 0.9 * t, self.noise * t

    def steps(self, n: int) -> Tensor:
        """Return the `n + 1` times of `n` steps, from 1 down to 0."""
        return torch.linspace(1, 0, n + 1, dtype=torch.float64)
