"""An ensemble: one picture restored in several positions, mirrored and turned, and the results averaged.

Of a network that has learned from pictures in all these positions the errors differ from one to another, and their mean
is smaller than each (Timofte et al., "Seven ways to improve example-based single image super resolution", CVPR 2016).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from restoration.errors import BadOption
from restoration.framing import crop_to, pad_to_multiple
from restoration.interfaces import Observation
from restoration.operators import Convolution, Masking, Resampling
from restoration.registry import registry
from restoration.registry.cards import RestorerCard, TaskCard

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.interfaces import Operator

    Restore = Callable[[Observation, Callable[[Tensor], None]], tuple[Tensor, str]]
    """Restores what was observed: `restore(observation, observe)` gives the picture, and why it is the last."""

GRID = 16
"""The blocks of JPEG, of colours too, begin at multiples of this many pixels."""


@dataclass(frozen=True)
class Position:
    """One of the eight positions of a square: mirrored, then upside down, then transposed, or not."""

    mirrored: bool = False
    upside_down: bool = False
    transposed: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        """Bring `b c h w` into this position."""
        x = self._flipped(x)
        return (x.mT if self.transposed else x).contiguous()

    def back(self, x: Tensor) -> Tensor:
        """Bring `b c h w` back from this position."""
        return self._flipped(x.mT if self.transposed else x).contiguous()

    def _flipped(self, x: Tensor) -> Tensor:
        sides = [side for side, flipped in ((-1, self.mirrored), (-2, self.upside_down)) if flipped]
        return x.flip(sides) if sides else x


UPRIGHT = Position()
POSITIONS = {
    "none": (UPRIGHT,),
    "mirror": (UPRIGHT, Position(mirrored=True)),
    "all": tuple(Position(bool(k & 1), bool(k & 2), bool(k & 4)) for k in range(8)),
}
"""The positions that the `symmetries` of a task allow."""


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Restores what was observed in each of the `positions`, and averages the results.

    Pictures are extended to whole cells of a `grid` of so many pixels, so that it lies in the same place in every
    position: a network knows where the blocks of JPEG are, which are counted from the upper left, and loses 0.3 dB on a
    picture whose blocks begin elsewhere. Without such blocks it gains from seeing other places of its own grid.
    """

    positions: tuple[Position, ...] = (UPRIGHT,)
    grid: int = 1

    @classmethod
    def of(cls, method: str, task: str) -> Ensemble:
        """Return the ensemble of a task. Raises `BadOption` if there is none, or the method cannot have one."""
        if not registry().card(RestorerCard, method).ensembles:
            raise BadOption(f"method {method!r} is fitted to each picture, and has no --ensemble; leave it out")
        card = registry().card(TaskCard, task)
        if card.symmetries == "none":
            raise BadOption(f"pictures for task {task!r} cannot be mirrored or turned; leave --ensemble out")
        return cls(positions=POSITIONS[card.symmetries], grid=GRID if card.lossy else 1)

    def __len__(self) -> int:
        return len(self.positions)

    def __call__(
        self, observation: Observation, restore: Restore, observe: Callable[[Tensor], None]
    ) -> tuple[Tensor, str]:
        """Return the mean of the results, `1 c h w`, and why it is the last estimate.

        `observe` sees the mean so far. Where the time ends, that of the positions that are done is the result.
        """
        if len(self) == 1:
            return restore(turned(observation, self.positions[0]), observe)
        extended, total, ended = extend(observation, self.grid), torch.zeros_like(observation.y), "done"
        for done, position in enumerate(self.positions):
            mean = partial(_mean, total, done, position)
            guess, ended = restore(turned(extended, position), partial(_pass_on, observe, mean))
            if done == 0 or ended == "done":
                total = mean(guess)
            if ended != "done":
                break
        return total, ended


def _mean(total: Tensor, done: int, position: Position, guess: Tensor) -> Tensor:
    """Return the mean of `done` results, `total`, and one more that is in a position, and may be extended."""
    return total + (crop_to(position.back(guess.float()), total) - total) / (done + 1)


def _pass_on(observe: Callable[[Tensor], None], mean: Callable[[Tensor], Tensor], guess: Tensor) -> None:
    observe(mean(guess))


def extend(observation: Observation, grid: int) -> Observation:
    """Extend what was observed on the right and below to whole cells of a grid, and of that of its small picture.

    What a kernel sees beyond the border, and what operators of others do there, cannot be extended: it stays as it is.
    """
    operator, y, measured = observation.operator, observation.y, observation.measured
    if isinstance(operator, Resampling) and measured is not None:
        height, width = (round(side / operator.factor) for side in measured.shape[-2:])
        further = (0, width - y.shape[-1], 0, height - y.shape[-2])
        wide = partial(functional.pad, pad=further, mode="replicate")
        far = None if observation.mean is None else wide(observation.mean)
        return replace(observation, y=wide(y), mean=far, operator=Resampling(operator.factor, (height, width)))
    if operator is not None and not isinstance(operator, Masking):
        return observation
    sigma, mean = observation.sigma, observation.mean
    return replace(
        observation,
        y=pad_to_multiple(y, grid),
        mean=None if mean is None else pad_to_multiple(mean, grid),
        operator=None if operator is None else Masking(pad_to_multiple(operator.mask, grid)),
        sigma=pad_to_multiple(sigma, grid) if isinstance(sigma, torch.Tensor) else sigma,
        measured=None if measured is None else pad_to_multiple(measured, grid),
    )


class Turned:
    """An operator for pictures in another position: it turns them back, degrades them, and turns what is left."""

    def __init__(self, operator: Operator, position: Position) -> None:
        self.operator, self.position = operator, position

    def __call__(self, x: Tensor) -> Tensor:
        """Degrade `b c h w`."""
        return self.position(self.operator(self.position.back(x)))

    def adjoint(self, y: Tensor) -> Tensor:
        """Apply the transpose."""
        return self.position(self.operator.adjoint(self.position.back(y)))


def turned(observation: Observation, position: Position) -> Observation:
    """Return what would have been observed of the scene in another position, with all that is known about it."""
    if position == UPRIGHT:
        return observation
    sigma, measured, mean = observation.sigma, observation.measured, observation.mean
    return replace(
        observation,
        y=position(observation.y),
        mean=None if mean is None else position(mean),
        operator=None if observation.operator is None else turned_operator(observation.operator, position),
        sigma=position(sigma) if isinstance(sigma, torch.Tensor) else sigma,
        measured=None if measured is None else position(measured),
    )


def turned_operator(operator: Operator, position: Position) -> Operator:
    """Return the operator for pictures in another position; of the toolbox's own it is one of the same class."""
    if isinstance(operator, Masking):
        return Masking(position(operator.mask))
    if isinstance(operator, Convolution):
        return Convolution(position(operator.kernel))
    if isinstance(operator, Resampling) and all((side * operator.factor).denominator == 1 for side in operator.size):
        size = operator.size[::-1] if position.transposed else operator.size
        return Resampling(operator.factor, (size[0], size[1]))
    return Turned(operator, position)
