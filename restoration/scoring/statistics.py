"""How far a mean can be trusted, and whether two differ: bootstrap intervals and paired tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

RESAMPLES = 10_000
FLIPS = 19_999
EXACT = 20
"""Up to so many pairs all 2ⁿ signs are tried."""
CHUNK = 4_000_000
"""Numbers held at a time."""


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """The mean of the differences of pairs, its 95 % interval, and how often chance alone gives as much.

    NaN where there is none: an interval of less than two pairs, all of it if a difference is infinite.
    """

    difference: float
    low: float
    high: float
    p: float
    pairs: int


def mean(values: Sequence[float]) -> float:
    """Return the mean of those that are not NaN; NaN if there are none."""
    present = _present(values)
    return math.fsum(present) / len(present) if present else math.nan


def bootstrap_interval(
    values: Sequence[float], *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean (Efron, 1979); NaN twice for less than two values.

    Values that are NaN are left out. The interval is somewhat narrow for few values: it holds the mean of a normal
    distribution in 83 % of samples of 5, 90 % of 10, 93 % of 20 and 94 % of 50, where 95 % are meant.
    """
    present = torch.tensor(_present(values), dtype=torch.float64)
    if len(present) < 2:
        return math.nan, math.nan
    rng = Generator().manual_seed(seed)
    means = _drawn(
        resamples, len(present), lambda shape: present[torch.randint(shape[1], shape, generator=rng)].mean(1)
    )
    place = int(resamples * (1 - level) / 2)
    ordered = means.sort().values
    return float(ordered[place]), float(ordered[-1 - place])


def paired_test(first: Sequence[float], second: Sequence[float], *, seed: int = 0) -> PairedTest:
    """Compare the means of two sequences, picture by picture: what `second` has more than `first`.

    Two-sided test by flips of the signs of the differences (Fisher, 1935): all of them for up to 20 pairs, else 19,999
    drawn ones and that which was seen. Pairs of which one is NaN are left out. Raises `ValueError` for lengths that
    differ.
    """
    differences = _present([0.0 if a == b else b - a for a, b in zip(first, second, strict=True)])
    number = len(differences)
    if not number or not all(map(math.isfinite, differences)):
        return PairedTest(difference=mean(differences), low=math.nan, high=math.nan, p=math.nan, pairs=number)
    low, high = bootstrap_interval(differences, seed=seed)
    p = sign_flip_p(differences, seed=seed)
    return PairedTest(difference=mean(differences), low=low, high=high, p=p, pairs=number)


def sign_flip_p(differences: Sequence[float], *, seed: int = 0) -> float:
    """Return how probable a sum at least as far from 0 is if every difference may as well have the other sign.

    Given signed ranks instead of differences this is the test of Wilcoxon.
    """
    values = torch.tensor(differences, dtype=torch.float64)
    seen = values.sum().abs() - 1e-12 * values.abs().sum()
    if len(values) <= EXACT:
        sums = torch.zeros(1, dtype=torch.float64)
        for value in values:
            sums = torch.cat([sums - value, sums + value])
        return float((sums.abs() >= seen).double().mean())
    rng = Generator().manual_seed(seed)
    sums = _drawn(
        FLIPS, len(values), lambda shape: (torch.randint(2, shape, generator=rng) * 2.0 - 1).double() @ values
    )
    return (1 + int((sums.abs() >= seen).sum())) / (1 + FLIPS)


def _drawn(number: int, width: int, draw: Callable[[tuple[int, int]], Tensor]) -> Tensor:
    """Collect `number` values from draws of rows of `width`, a chunk of them at a time."""
    return torch.cat([draw((rows, width)) for rows in _chunks(number, max(1, CHUNK // width))])


def _chunks(number: int, size: int) -> Iterator[int]:
    for begin in range(0, number, size):
        yield min(size, number - begin)


def _present(values: Sequence[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]
