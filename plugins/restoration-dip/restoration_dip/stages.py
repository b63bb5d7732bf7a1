"""The stages of a staged Deep Image Prior: the noise of the target, and the number of epochs, of each."""

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
"""The number of noise levels for a schedule that is not a `BetaSchedule`."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Some `epochs`, of a step each, that fit the picture plus noise of standard deviation `sigma`, in units of [0, 1].

    The network predicts the picture with its contrast to grey multiplied by `scale`; `weight` multiplies the loss.
    """

    epochs: int
    sigma: float = 0.0
    scale: float = 1.0
    weight: float = 1.0

    def to_picture(self, output: Tensor) -> Tensor:
        """Return the picture `b c h w` that an output of the network stands for."""
        return output if self.scale == 1 else (output - 0.5) / self.scale + 0.5


def compute_levels(schedule: NoiseSchedule, number: int | None = None) -> tuple[Tensor, Tensor]:
    """Return sigma, the noise of each level in units of [0, 1], and beta, the share of variance that its step replaces.

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


def compute_shares(beta: Tensor, *, alpha: float, k: float) -> list[float]:
    """Return `1 - alpha exp(-k beta)` for each beta: the epochs of a stage as a share of those of the last stage."""
    shares: list[float] = (1 - alpha * (-k * beta).exp()).tolist()
    return shares


def distribute(steps: int, shares: Sequence[float]) -> list[int]:
    """Return whole numbers in proportion to `shares` whose sum is `steps`."""
    whole, ends, done = sum(shares), [0], 0.0
    for share in shares:
        done += share
        ends.append(round(steps * done / whole))
    return [end - begin for begin, end in pairwise(ends)]


def make_stages(
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
    """Return the stages: one for each noise level, the noisiest first, and one for the picture itself.

    A stage has `round(epochs (1 - alpha exp(-k beta)))` epochs, of a step each; the last one has `epochs`.

    * `schedule`: the noise schedule.
    * `epochs`: the epochs of the last stage.
    * `levels`: the number of noise levels, see `compute_levels`.
    * `steps`: the sum of all epochs; None for that of the formula. The proportions stay the same.
    * `alpha`, `k`: numbers of the formula.
    * `order`: "ascending" takes the betas in their order, the smallest for the noisiest target, so that few epochs are
      spent on much noise; "literal" takes the beta of the level that is fitted, which is the reverse.
    * `form`: the target is `y + √((1-ᾱ)/ᾱ) n` for "exploding". For "preserving" it is `√ᾱ y + √(1-ᾱ) n` with `y` in
      [-1, 1], where the same noise is half as strong.
    """
    if epochs < 1 or not 0 <= alpha <= 1 or k < 0:
        raise ValueError(f"epochs must be at least 1, alpha in [0, 1] and k at least 0, not {epochs}, {alpha} and {k}")
    sigma, beta = compute_levels(schedule, levels)
    shares = [*compute_shares(beta if order == "ascending" else beta.flip(0), alpha=alpha, k=k), 1.0]
    numbers = [round(epochs * share) for share in shares] if steps is None else distribute(steps, shares)
    noises = [*sigma.flip(0).tolist(), 0.0]
    if form == "exploding":
        return [Stage(epochs=n, sigma=noise) for n, noise in zip(numbers, noises, strict=True)]
    scales = [(1 + noise**2) ** -0.5 for noise in noises]
    return [
        Stage(epochs=n, sigma=noise / 2, scale=scale, weight=(2 * scale) ** 2)
        for n, noise, scale in zip(numbers, noises, scales, strict=True)
    ]
