"""Whether the loss of a training rose so far that what was learned is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOW = 100
"""The mean loss is about that of the last so many steps; before, it is one of too few to compare with."""


class Divergence:
    """Watches the mean loss of a training, of any sign and unit, from line to line of its log.

    It has diverged where it is above its first value by half of that value, and by as much as it had fallen before.

    * `lines`: those of the log so far, see `records.read_log`.
    """

    def __init__(self, lines: Iterable[dict[str, Any]] = ()) -> None:
        self.first: float | None = None
        self.least = float("inf")
        self.diverged = False
        for line in lines:
            if "loss" in line:
                self.seen(line["step"], line["loss"])

    def seen(self, step: int, loss: float) -> bool:
        """Take the loss of a step, and return whether the training has diverged since the one before."""
        if step < WINDOW:
            return False
        if self.first is None:
            self.first = loss
        before, self.diverged = self.diverged, loss - self.first > max(self.first - self.least, abs(self.first) / 2)
        self.least = min(self.least, loss)
        return self.diverged and not before
