"""When to stop: rules that watch a fit and remember its best step, without knowing the clean picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One step of a fit: the answer of the network and the running average, `b c h w`.

    `error` is the mean squared error of the average on pixels that the fit was not shown, None if there are none.
    """

    step: int
    answer: Tensor
    average: Tensor
    error: float | None = None


class Stopping(Protocol):
    """A rule. `best` is the step that it holds for the best so far, 0 before it knows any."""

    name: str
    best: int

    def update(self, moment: Moment) -> bool:
        """Take one more step; say whether it is the best so far."""
        ...

    @property
    def done(self) -> bool:
        """Whether to stop."""
        ...


class _Patient:
    """Remembers the lowest of some numbers, and stops when none was lower for `patience` steps."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.best, self.step, self.lowest = 0, 0, float("inf")

    @property
    def done(self) -> bool:
        """Whether the last improvement lies too far back."""
        return self.best > 0 and self.step - self.best >= self.patience

    def lower(self, step: int, value: float) -> bool:
        late = self.best > 0 and step - self.best > self.patience
        self.step = step
        if late or not value < self.lowest:
            return False
        self.best, self.lowest = step, value
        return True


class HeldOut(_Patient):
    """Stops when the average no longer comes closer to pixels that the fit was not shown.

    Where the noise of a pixel says nothing about that of another, this error is that to the clean picture plus a
    constant. The patience grows with the fit, by a quarter of the steps made.
    """

    name = "held-out pixels"

    def __init__(self, *, patience: int = 100) -> None:
        super().__init__(patience)
        self.least = patience

    def update(self, moment: Moment) -> bool:
        """Take one more step. Raises `ValueError` if nothing was held out."""
        if moment.error is None:
            raise ValueError("no pixels are held out; choose another stop")
        self.patience = max(self.least, self.best // 4)
        return self.lower(moment.step, moment.error)


class MovingVariance(_Patient):
    """Stops when the variance of the last answers no longer falls.

    Wang et al., "Early Stopping for Deep Image Prior", TMLR 2023, arXiv:2112.06074: ES-WMV, with `window` W and
    `patience` P. The variance is `mean(x^2) - mean(x)^2` from running sums; of large pictures only some `pixels`, the
    same at each step, are watched.
    """

    name = "moving variance"

    def __init__(self, *, window: int = 100, patience: int = 1000, pixels: int | None = 1 << 16) -> None:
        super().__init__(patience)
        self.window, self.pixels = window, pixels
        self.ring: Tensor | None = None
        self.offset = self.total = self.squares = torch.zeros(())

    def update(self, moment: Moment) -> bool:
        """Take one more step."""
        answer = moment.answer.flatten().float()
        if self.pixels is not None and answer.numel() > self.pixels:
            answer = answer[:: -(-answer.numel() // self.pixels)]
        if self.ring is None:
            self.ring = answer.new_zeros(self.window, answer.numel())
            self.offset = answer.clone()  # sums of small numbers keep their digits
            self.total = torch.zeros_like(answer, dtype=torch.float64)
            self.squares = torch.zeros_like(self.total)
        value = answer - self.offset
        row = self.ring[(moment.step - 1) % self.window]
        self.total += value.double() - row.double()
        self.squares += value.double().square() - row.double().square()
        row.copy_(value)
        self.step = moment.step
        if moment.step < self.window:
            return False
        mean = self.total / self.window
        return self.lower(moment.step, float((self.squares / self.window - mean.square()).mean()))


class AveragedVariance(_Patient):
    """Stops as `MovingVariance` does, by an exponential average of the variance, which needs no memory: ES-EMV.

    Wang et al., arXiv:2112.06074, algorithm 2: `d = x - m`, `m += alpha d`, `v = (1 - alpha)(v + alpha |d|^2)`; the
    first `warmup` steps do not count.
    """

    name = "averaged variance"

    def __init__(self, *, alpha: float = 0.1, patience: int = 1000, warmup: int = 101) -> None:
        super().__init__(patience)
        self.alpha, self.warmup = alpha, warmup
        self.mean: Tensor | None = None
        self.variance = 0.0

    def update(self, moment: Moment) -> bool:
        """Take one more step."""
        if self.mean is None:
            self.mean = moment.answer.float().clone()
        change = moment.answer.float() - self.mean
        self.mean += self.alpha * change
        self.variance = (1 - self.alpha) * (self.variance + self.alpha * float(change.square().mean()))
        self.step = moment.step
        return moment.step > self.warmup and self.lower(moment.step, self.variance)


class Fixed:
    """Never stops: the last step is the best."""

    name = "the number of steps"

    def __init__(self) -> None:
        self.best = 0

    def update(self, moment: Moment) -> bool:
        """Take one more step."""
        self.best = moment.step
        return True

    @property
    def done(self) -> bool:
        """Never."""
        return False
