"""The stages of a staged Deep Image Prior: how much noise the target of each has, and how long it is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch

from restoration import BetaSchedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from restoration import NoiseSchedule

Form = Literal["exploding", "preserving"]
Order = Literal["ascending", "literal"]

LEVELS = 10
"""Levels of a schedule that does not say how many it has."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Some steps towards a picture with noise `sigma`, in units of [0, 1], added.

    The network is to say the picture with its contrast to grey `scale` times as large; squared errors count `weight`.
    """

    epochs: int
    sigma: float = 0.0
    scale: float = 1.0
    weight: float = 1.0

    def picture(self, said: Tensor) -> Tensor:
        """Return the picture, `b c h w`, that the network means with what it said."""
        return said if self.scale == 1 else (said - 0.5) / self.scale + 0.5


def levels_of(schedule: NoiseSchedule, number: int | None = None) -> tuple[Tensor, Tensor]:
    """Return sigma, the noise of each level in pictures, and beta, the share of variance that its step replaces.

    There are `number` levels, evenly spaced; if None, as many as a `BetaSchedule` has steps, or 10. `sigma` is
    `c / (a + b)`, since the picture at hand stands for both `x` and `y`; `1 - beta` is the ratio of ᾱ, which is
    `1 / (1 + sigma^2)`, between a level and the one before. All are float64.
    """
    if number is None:
        number = len(schedule.betas) if isinstance(schedule, BetaSchedule) else LEVELS
    if number < 1:
        raise ValueError(f"levels must be at least 1, not {number}")
    a, b, c = schedule.at(torch.arange(1, number + 1, dtype=torch.float64) / number)
    sigma = c / (a + b)
    log_abar = -sigma.square().log1p()
    return sigma, -log_abar.diff(prepend=log_abar.new_zeros(1)).expm1()


def shares_of(beta: Tensor, *, alpha: float, k: float) -> list[float]:
    """Return `1 - alpha exp(-k beta)` for each: the part of the most epochs that a stage has."""
    shares: list[float] = (1 - alpha * (-k * beta).exp()).tolist()
    return shares


def spread(steps: int, shares: Sequence[float]) -> list[int]:
    """Return whole numbers in proportion to `shares` whose sum is `steps`."""
    whole, ends, done = sum(shares), [0], 0.0
    for share in shares:
        done += share
        ends.append(round(steps * done / whole))
    return [end - begin for begin, end in pairwise(ends)]


def stages(
    schedule: NoiseSchedule,
    *,
    epochs: int,
    levels: int | None = None,
    steps: int | None = None,
    alpha: float = 1.0,
    k: float = 300.0,
    order: Order = "ascending",
    form: Form = "exploding",
) -> list[Stage]:
    """Return the stages: one for each level of noise, the noisiest first, and one for the picture itself.

    A stage has `round(epochs (1 - alpha exp(-k beta)))` epochs, a step each. `ascending` reads beta from its first on
    while the targets go from the noisiest, so that little time is spent on much noise; `literal` takes the beta of the
    level that is fitted, which is the other way round. The last stage has `epochs`. `steps`, if given, is what they are
    all to sum to, in the same proportions.

    The target is `y + √((1-ᾱ)/ᾱ) n` if `exploding`; if `preserving`, `√ᾱ y + √(1-ᾱ) n` for `y` in [-1, 1], where the
    same noise is half as strong.
    """
    if epochs < 1 or not 0 <= alpha <= 1 or k < 0:
        raise ValueError(f"epochs must be at least 1, alpha in [0, 1] and k at least 0, not {epochs}, {alpha} and {k}")
    sigma, beta = levels_of(schedule, levels)
    shares = [*shares_of(beta if order == "ascending" else beta.flip(0), alpha=alpha, k=k), 1.0]
    numbers = [round(epochs * share) for share in shares] if steps is None else spread(steps, shares)
    noises = [*sigma.flip(0).tolist(), 0.0]
    if form == "exploding":
        return [Stage(epochs=n, sigma=noise) for n, noise in zip(numbers, noises, strict=True)]
    scales = [(1 + noise**2) ** -0.5 for noise in noises]
    return [
        Stage(epochs=n, sigma=noise / 2, scale=scale, weight=(2 * scale) ** 2)
        for n, noise, scale in zip(numbers, noises, scales, strict=True)
    ]
