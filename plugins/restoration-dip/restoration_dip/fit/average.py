"""The running average of a network's outputs, which is better than any one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class RunningAverage:
    """An exponential average whose window grows with the number of outputs.

    The output of step `t`, counted from 1, has the weight `1 / w`, where `w = clamp(t / ramp, 1, 1 / (1 - decay))`. So
    the first outputs, which are grey, are soon without weight; later this is the average of Ulyanov et al.
    (arXiv:1711.10925, section 3), with their `decay` of 0.99. With `ramp=0` it is theirs from the first step on.
    """

    def __init__(self, *, decay: float = 0.99, ramp: float = 5.0) -> None:
        if not 0 <= decay < 1 or ramp < 0:
            raise ValueError(f"decay must be in [0, 1) and ramp at least 0, not {decay} and {ramp}")
        self.longest, self.ramp = 1 / (1 - decay), ramp
        self.steps = 0
        self.value: Tensor | None = None

    def update(self, output: Tensor) -> Tensor:
        """Add one more output; return the average, a tensor that later updates change in place."""
        self.steps += 1
        if self.value is None:
            self.value = output.clone()
            return self.value
        window = min(self.longest, self.steps / self.ramp) if self.ramp else self.longest
        return self.value.lerp_(output, 1 / max(1.0, window))
