"""Rules for early stopping: they watch a fit and remember its best step, without the clean picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One step of a fit, counted from 1: the output of the network and the running average, both `b c h w`.

    `error` is the error of the average on the held-out pixels, None if there are none.
    """

    step: int
    output: Tensor
    average: Tensor
    error: float | None = None


class Stopping(Protocol):
    """A rule for early stopping. `best` is the best step so far, 0 before there is one."""

    name: str
    best: int

    def update(self, moment: Moment) -> bool:
        """Look at one more step; return whether it is the best so far."""
        ...

    @property
    def done(self) -> bool:
        """Whether the fit should stop."""
        ...


class _Patience:
    """Remembers the lowest of the values so far, and stops when none was lower for `patience` steps."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.best, self.step, self.lowest = 0, 0, float("inf")

    @property
    def done(self) -> bool:
        """Whether the last improvement was too many steps ago."""
        return self.best > 0 and self.step - self.best >= self.patience

    def update_lowest(self, step: int, value: float) -> bool:
        """Take the value of a step; return whether it is the lowest so far."""
        late = self.best > 0 and step - self.best > self.patience
        self.step = step
        if late or not value < self.lowest:
            return False
        self.best, self.lowest = step, value
        return True


class HeldOut(_Patience):
    """Stops when the error of the average on the held-out pixels no longer falls.

    If the noise is independent in each pixel, this error is the error to the clean picture plus a constant. The
    patience grows with the fit: it is at least a quarter of the steps up to the best one.
    """

    name = "held-out pixels"

    def __init__(self, *, patience: int = 100) -> None:
        super().__init__(patience)
        self.smallest_patience = patience

    def update(self, moment: Moment) -> bool:
        """Look at one more step; return whether it is the best. Raises `ValueError` if nothing was held out."""
        if moment.error is None:
            raise ValueError("no pixels are held out; choose another stop")
        self.patience = max(self.smallest_patience, self.best // 4)
        return self.update_lowest(moment.step, moment.error)


class MovingVariance(_Patience):
    """Stops when the variance of the last outputs no longer falls.

    Wang et al., "Early Stopping for Deep Image Prior", TMLR 2023, arXiv:2112.06074: ES-WMV, with `window` W and
    `patience` P. The variance is `mean(x^2) - mean(x)^2` from running sums. Of a large picture only some `pixels` are
    used, the same ones at each step.
    """

    name = "moving variance"

    def __init__(self, *, window: int = 100, patience: int = 1000, pixels: int | None = 1 << 16) -> None:
        super().__init__(patience)
        self.window, self.pixels = window, pixels
        self.ring: Tensor | None = None
        self.offset = self.total = self.squares = torch.zeros(())

    def update(self, moment: Moment) -> bool:
        """Look at one more step; return whether it is the best so far."""
        output = moment.output.flatten().float()
        if self.pixels is not None and output.numel() > self.pixels:
            output = output[:: -(-output.numel() // self.pixels)]
        if self.ring is None:
            self.ring = output.new_zeros(self.window, output.numel())
            self.offset = output.clone()  # sums of small numbers keep their digits
            self.total = torch.zeros_like(output, dtype=torch.float64)
            self.squares = torch.zeros_like(self.total)
        value = output - self.offset
        row = self.ring[(moment.step - 1) % self.window]
        self.total += value.double() - row.double()
        self.squares += value.double().square() - row.double().square()
        row.copy_(value)
        self.step = moment.step
        if moment.step < self.window:
            return False
        mean = self.total / self.window
        return self.update_lowest(moment.step, float((self.squares / self.window - mean.square()).mean()))


class AveragedVariance(_Patience):
    """Stops as `MovingVariance` does, by an exponential average of the variance, without memory for outputs: ES-EMV.

    Wang et al., arXiv:2112.06074, algorithm 2: `d = x - m`, `m += alpha d`, `v = (1 - alpha)(v + alpha |d|^2)`. The
    first `warmup` steps are never the best.
    """

    name = "averaged variance"

    def __init__(self, *, alpha: float = 0.1, patience: int = 1000, warmup: int = 101) -> None:
        super().__init__(patience)
        self.alpha, self.warmup = alpha, warmup
        self.mean: Tensor | None = None
        self.variance = 0.0

    def update(self, moment: Moment) -> bool:
        """Look at one more step; return whether it is the best so far."""
        if self.mean is None:
            self.mean = moment.output.float().clone()
        change = moment.output.float() - self.mean
        self.mean += self.alpha * change
        self.variance = (1 - self.alpha) * (self.variance + self.alpha * float(change.square().mean()))
        self.step = moment.step
        return moment.step > self.warmup and self.update_lowest(moment.step, self.variance)


class FixedSteps:
    """Never stops early: the last step is the best."""

    name = "the number of steps"

    def __init__(self) -> None:
        self.best = 0

    def update(self, moment: Moment) -> bool:
        """Take the step as the best."""
        self.best = moment.step
        return True

    @property
    def done(self) -> bool:
        """Always False."""
        return False
