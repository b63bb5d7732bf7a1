"""The running average of a network's answers, which is better than any one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class RunningAverage:
    """An exponential average with a window that grows with what there is to average.

    The answer of step `t`, counted from 1, has the weight `1 / w`, `w = clamp(t / ramp, 1, 1 / (1 - decay))`. At first
    it follows at once and never remembers the first answers, which were grey; later it is the average of Ulyanov et al.
    (arXiv:1711.10925, section 3), decay 0.99. `ramp=0` is theirs from the beginning.
    """

    def __init__(self, *, decay: float = 0.99, ramp: float = 5.0) -> None:
        if not 0 <= decay < 1 or ramp < 0:
            raise ValueError(f"decay must be in [0, 1) and ramp at least 0, not {decay} and {ramp}")
        self.longest, self.ramp = 1 / (1 - decay), ramp
        self.steps = 0
        self.value: Tensor | None = None

    def update(self, answer: Tensor) -> Tensor:
        """Take one more answer; return the average, which later updates change in place."""
        self.steps += 1
        if self.value is None:
            self.value = answer.clone()
            return self.value
        window = min(self.longest, self.steps / self.ramp) if self.ramp else self.longest
        return self.value.lerp_(answer, 1 / max(1.0, window))
