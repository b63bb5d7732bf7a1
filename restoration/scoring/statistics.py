"""How certain a mean is, and whether two means differ: bootstrap intervals and paired tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

RESAMPLES = 10_000
"""The number of bootstrap samples."""
FLIPS = 19_999
"""The number of sign flips that are drawn for more than `EXACT` pairs."""
EXACT = 20
"""For up to this many pairs, all 2ⁿ signs are tried."""
CHUNK = 4_000_000
"""At most this many numbers are in memory at a time."""


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """The mean of the differences of pairs, its 95 % interval, and the p-value.

    Values that do not exist are NaN: the interval for less than two pairs, and all of them if a difference is infinite.
    """

    difference: float
    low: float
    high: float
    p: float
    pairs: int


def mean(values: Sequence[float]) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    present = _drop_nan(values)
    return math.fsum(present) / len(present) if present else math.nan


def bootstrap_interval(
    values: Sequence[float], *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean (Efron, 1979); NaN twice for less than two values.

    Values that are NaN are left out. For few values the interval is somewhat narrow: for a normal distribution it
    contains the mean in 83 % of samples of 5 values, 90 % of 10, 93 % of 20 and 94 % of 50, instead of 95 %.
    """
    present = torch.tensor(_drop_nan(values), dtype=torch.float64)
    if len(present) < 2:
        return math.nan, math.nan
    rng = Generator().manual_seed(seed)
    means = _draw(resamples, len(present), lambda shape: present[torch.randint(shape[1], shape, generator=rng)].mean(1))
    index = int(resamples * (1 - level) / 2)
    ordered = means.sort().values
    return float(ordered[index]), float(ordered[-1 - index])


def paired_test(first: Sequence[float], second: Sequence[float], *, seed: int = 0) -> PairedTest:
    """Test whether the means of two sequences differ, picture by picture; the difference is `second` minus `first`.

    A two-sided test by sign flips of the differences (Fisher, 1935): all of them for up to 20 pairs, else 19,999 random
    ones and the observed one. Pairs with a NaN are left out. Raises `ValueError` for different lengths.
    """
    differences = _drop_nan([0.0 if a == b else b - a for a, b in zip(first, second, strict=True)])
    number = len(differences)
    if not number or not all(map(math.isfinite, differences)):
        return PairedTest(difference=mean(differences), low=math.nan, high=math.nan, p=math.nan, pairs=number)
    low, high = bootstrap_interval(differences, seed=seed)
    p = sign_flip_p(differences, seed=seed)
    return PairedTest(difference=mean(differences), low=low, high=high, p=p, pairs=number)


def sign_flip_p(differences: Sequence[float], *, seed: int = 0) -> float:
    """Return the probability of a sum at least as far from 0 if the sign of every difference were random.

    For signed ranks instead of differences this is the test of Wilcoxon.
    """
    values = torch.tensor(differences, dtype=torch.float64)
    seen = values.sum().abs() - 1e-12 * values.abs().sum()
    if len(values) <= EXACT:
        sums = torch.zeros(1, dtype=torch.float64)
        for value in values:
            sums = torch.cat([sums - value, sums + value])
        return float((sums.abs() >= seen).double().mean())
    rng = Generator().manual_seed(seed)
    sums = _draw(FLIPS, len(values), lambda shape: (torch.randint(2, shape, generator=rng) * 2.0 - 1).double() @ values)
    return (1 + int((sums.abs() >= seen).sum())) / (1 + FLIPS)


def _draw(number: int, width: int, draw: Callable[[tuple[int, int]], Tensor]) -> Tensor:
    """Collect `number` values from draws of rows of `width`, a chunk of rows at a time."""
    return torch.cat([draw((rows, width)) for rows in _chunks(number, max(1, CHUNK // width))])


def _chunks(number: int, size: int) -> Iterator[int]:
    for begin in range(0, number, size):
        yield min(size, number - begin)


def _drop_nan(values: Sequence[float]) -> list[float]:
    return [value for value in values if not math.isnan(value)]
