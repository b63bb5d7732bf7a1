"""Networks that see pictures in [-1, 1], as nearly all published code of DDPM has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from restoration_ir_sde.objectives import CleanMatching, Matching, NoiseMatching, Norm, VelocityMatching
from restoration_ir_sde.states import count_steps, curves

if TYPE_CHECKING:
    from torch import Tensor

    from restoration import Network, NoiseSchedule, RowGenerators

MATCHINGS: dict[str, type[Matching]] = {
    "noise": NoiseMatching,
    "clean": CleanMatching,
    "velocity": VelocityMatching,
}
"""The objective of each thing that a network may predict."""


class SymmetricMatching:
    """The network sees pictures in [-1, 1], and predicts the noise, the clean image or the velocity of those.

    A picture `x` is `2 x - 1` there, and a state `x_t` of it `2 x_t - a - b`, whose noise is twice as strong. So a
    network of published code is shown what it was trained with, to the last digit: on the schedule of DDPM with half
    the noise, a state of its own. `norm` says whether errors are absolute or squared.
    """

    def __init__(self, *, predicts: Literal["noise", "clean", "velocity"] = "noise", norm: Norm = "l2") -> None:
        if predicts not in MATCHINGS:
            raise ValueError(f"predicts must be noise, clean or velocity, not {predicts!r}")
        self.matching = MATCHINGS[predicts](norm=norm)

    def loss(self, network: Network, schedule: NoiseSchedule, x: Tensor, y: Tensor, rng: RowGenerators) -> Tensor:
        """Return one loss an image, `b`, at random times of the path."""
        return self.matching.loss(network, Doubled(schedule), 2 * x - 1, 2 * y - 1, rng)

    def clean(self, network: Network, schedule: NoiseSchedule, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Return the clean image in [0, 1] that the network predicts: `b c h w`."""
        a, b, _ = curves(schedule, t, x_t)
        wide = self.matching.clean(network, Doubled(schedule), 2 * x_t - a - b, 2 * y - 1, t)
        return (wide + 1) / 2


class Doubled:
    """A schedule for pictures in [-1, 1]: the same path, with noise that is twice as strong as the pictures are."""

    def __init__(self, schedule: NoiseSchedule) -> None:
        self.schedule, self.T = schedule, count_steps(schedule)

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `a`, `b` and twice the `c` of the schedule at times `t` of any shape."""
        a, b, c = self.schedule.at(t)
        return a, b, 2 * c

    def steps(self, n: int) -> Tensor:
        """Return `n + 1` times from 1 down to 0."""
        steps: Tensor = self.schedule.steps(n)
        return steps
