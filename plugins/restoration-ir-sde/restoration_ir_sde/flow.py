"""Rectified flow: a straight path from the clean image to the degraded one, and what a network learns on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from einops import rearrange

from restoration_ir_sde.objectives import CleanMatching, Norm
from restoration_ir_sde.states import KnownState, State

if TYPE_CHECKING:
    from torch import Tensor

LEAST = 1e-6
"""The share of the clean image at t = 1, where it should be 0."""


class RectifiedFlow:
    """A straight line from the clean image to the degraded one with a little noise: `x_t = (1 - t) x + t (y + σ n)`.

    `max_sigma` is σ in levels of 255, and `T` the number of times that a network is trained at. The path of rectified
    flow (Liu et al., arXiv:2209.03003) as PMRF has it, where `y` is the mean of all clean images (Ohayon et al.,
    arXiv:2410.00418, algorithm 1). On it DDIM is Euler's method for the flow. Raises `ValueError`.
    """

    def __init__(self, *, max_sigma: float = 10.0, T: int = 100) -> None:
        if max_sigma <= 0 or T < 1:
            raise ValueError(f"max_sigma and T must be positive, not {max_sigma}, {T}")
        self.T, self.sigma = T, max_sigma / 255

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `a`, `b` and `c` at times `t` of any shape; samplers divide by `a`, which is never quite 0."""
        t = t.double().clamp(0, 1)
        a = (1 - t).clamp(min=LEAST)
        return a, 1 - a, self.sigma * t

    def steps(self, n: int) -> Tensor:
        """Return `n + 1` times from 1 down to 0, evenly spaced."""
        return torch.linspace(1, 0, n + 1, dtype=torch.float64)


class FlowMatching(CleanMatching):
    """The network predicts the velocity of a straight path, `(x_t - x) / t`, or the clean image.

    If it `predicts` the clean image, the errors are those of the velocity that follows from it, so that the loss is the
    same and a network that knows the clean image already can go on learning. `norm`, `rectification` and `clipped` are
    those of `CleanMatching`. Liu et al., arXiv:2209.03003, equation 1.
    """

    def __init__(
        self,
        *,
        norm: Norm = "l2",
        predicts: Literal["velocity", "clean"] = "velocity",
        rectification: float = 0.0,
        clipped: float = 0.0,
    ) -> None:
        super().__init__(norm=norm, rectification=rectification, clipped=clipped)
        if predicts not in ("velocity", "clean"):
            raise ValueError(f"predicts must be velocity or clean, not {predicts!r}")
        self.predicts = predicts

    def error(self, predicted: Tensor, at: KnownState) -> Tensor:
        """Return the error of the velocity."""
        return (self.read(predicted, at) - at.x) / _times(at)

    def read(self, predicted: Tensor, at: State) -> Tensor:
        """Return the clean image: where the velocity leads to from the state, or what was predicted."""
        return predicted if self.predicts == "clean" else at.x_t - _times(at) * predicted


def _times(at: State) -> Tensor:
    """Return the times of a state, `b 1 1 1`."""
    return rearrange(at.t, "b -> b 1 1 1").to(at.x_t, non_blocking=True)
