"""How honest samples are: their mean and deviation, whether they differ where they are wrong, and by how much.

Samples are `n b c h w`, a tensor or one after another, drawn for one observation with `n` seeds; clean pictures are
`b c h w`. All values are in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from restoration.smoothing import local_mean

if TYPE_CHECKING:
    from torch import Tensor

LEVEL = 0.9
"""The share of clean values that an interval is to hold."""
BLOCK = 8
"""The side in pixels of the blocks in which deviation and error are compared."""
ROUNDING = 1 / 255 / 12**0.5
"""The standard deviation of what is lost where a picture is rounded to 8 bits: no deviation counts as less."""
AROUND = 3
"""The radius in pixels of the square around each pixel in which damage and detail are judged."""
DAMAGED, INTACT, FLAT = 8 / 255, 1 / 255, 2 / 255
"""Root mean square of the damage from which a region is damaged, up to which it is not; deviation of a flat one."""
KEPT = 1 << 17
"""Values of a picture, evenly spaced, that the scale of an interval is fitted on."""


class Moments:
    """The mean and the deviation of tensors that come one by one and are not kept (Welford, Technometrics 1962)."""

    def __init__(self) -> None:
        self.count = 0
        self._mean: Tensor | None = None
        self._squares: Tensor | None = None

    def add(self, x: Tensor) -> None:
        """Add a tensor, of the shape of those before."""
        self.count += 1
        if self._mean is None or self._squares is None:
            self._mean, self._squares = x.clone(), torch.zeros_like(x)
            return
        change = x - self._mean
        self._mean.add_(change, alpha=1 / self.count)
        self._squares.addcmul_(change, x - self._mean)

    @property
    def mean(self) -> Tensor:
        """The mean. Raises `ValueError` if nothing was added."""
        if self._mean is None:
            raise ValueError("there is no mean of nothing")
        return self._mean

    @property
    def deviation(self) -> Tensor:
        """The standard deviation of what the samples were drawn from, without bias. Raises `ValueError` for one."""
        if self._squares is None or self.count < 2:
            raise ValueError("the deviation needs two samples or more")
        return (self._squares / (self.count - 1)).sqrt()


def spread(samples: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of samples, both `b c h w`.

    Samples are a tensor `n b c h w`, or come one by one and are not kept.
    """
    moments = Moments()
    for sample in samples:
        moments.add(sample)
    return moments.mean, moments.deviation


def correlation(samples: Iterable[Tensor], clean: Tensor, *, block: int = 1) -> float:
    """Return how the deviation of samples goes with the error of their mean, from -1 to 1 (Pearson).

    Both are root mean squares over the channels of a pixel, or of a `block` of so many pixels squared. It is 0 where
    one of them is the same everywhere.
    """
    mean, deviation = spread(samples)
    return pearson(root_mean_square(deviation, block), root_mean_square(mean - clean, block))


def interval_scale(samples: Iterable[Tensor], clean: Tensor, *, level: float = LEVEL) -> float:
    """Return `k` such that `mean ± k deviation` holds a share of `level` of the clean values.

    For exact Gaussian samples it is near the quantile of Student's t with `n - 1` degrees of freedom, times
    `sqrt(1 + 1 / n)`: 1.64 for many samples, 2.6 for four.
    """
    return _quantile(_ratio(*spread(samples), clean), level)


def coverage(samples: Iterable[Tensor], clean: Tensor, *, scale: float) -> float:
    """Return the share of the clean values in `mean ± scale deviation`, from 0 to 1."""
    return float((_ratio(*spread(samples), clean) <= scale).double().mean())


def regions(degraded: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Return where pictures are damaged, and where they are intact and flat, `b 1 h w` of booleans.

    Both are judged in a square around each pixel: by the damage, the difference of the two pictures, and by the
    deviation of the clean one.
    """
    damage = local_mean((degraded - clean).square().mean(dim=1, keepdim=True), AROUND).sqrt()
    mean = local_mean(clean, AROUND)
    detail = (local_mean(clean.square(), AROUND) - mean.square()).clamp_min(0).amax(dim=1, keepdim=True).sqrt()
    return damage >= DAMAGED, (damage <= INTACT) & (detail <= FLAT)


def root_mean_square(x: Tensor, block: int = 1) -> Tensor:
    """Return the root mean square over the channels, and over blocks that lie whole in the picture: `b 1 h w`."""
    squares = x.square().mean(dim=1, keepdim=True)
    return (functional.avg_pool2d(squares, block) if block > 1 else squares).sqrt()


def pearson(x: Tensor, y: Tensor) -> float:
    """Return the correlation of two tensors of one shape, from -1 to 1; 0 where one is constant."""
    x, y = (side.double() - side.double().mean() for side in (x, y))
    size = float(x.square().sum() * y.square().sum())
    return float((x * y).sum()) / size**0.5 if size > 0 else 0.0


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What samples are worth, over several pictures.

    * `pixels`, `blocks`: correlation of deviation and error in pixels, and in blocks of 8x8.
    * `coverage`: the share of clean values in the interval that is to hold 90 %, with a scale fitted on other pictures.
    * `scale`: the mean of these scales, in deviations.
    * `deviation`, `damaged`, `flat`: root mean square of the deviation in levels of 255: everywhere, where pictures are
      damaged, and where they are intact and flat; NaN where there is no such region.
    * `count`: the number of pictures.
    """

    pixels: float
    blocks: float
    coverage: float
    scale: float
    deviation: float
    damaged: float
    flat: float
    count: int


def calibrate(drawn: Iterable[tuple[Iterable[Tensor], Tensor, Tensor]], *, level: float = LEVEL) -> Calibration:
    """Measure samples of several pictures, each of which may have a size of its own.

    The intervals of every second picture have the scale that was fitted on the others, and the other way round; values
    that all samples leave as they were observed, as around a hole, do not count there. Raises `ValueError` for less
    than two pictures, or if nothing is changed.

    * `drawn`: for each picture its samples, the clean picture and the degraded one; gone through once, so that a
      generator need not hold the samples of more than one.
    * `level`: the share of clean values that an interval is to hold.
    """
    measured = [_Measured.of(*one) for one in drawn]
    if len(measured) < 2:
        raise ValueError("a scale that is fitted on one picture and tried on another needs two pictures or more")
    even, odd = (torch.cat([one.ratios for one in measured[place::2]]) for place in (0, 1))
    if not (len(even) and len(odd)):
        raise ValueError("samples leave every value as it was observed: there is no interval to look into")
    scales = [_quantile(half, level) for half in (even, odd)]
    held = torch.cat([even <= scales[1], odd <= scales[0]])
    deviations, damaged, flat = (torch.stack([one.sums[place] for one in measured]).sum(dim=0) for place in range(3))
    return Calibration(
        pixels=_correlation([one.pixels for one in measured]),
        blocks=_correlation([one.blocks for one in measured]),
        coverage=float(held.double().mean()),
        scale=sum(scales) / 2,
        deviation=255 * _root(deviations),
        damaged=255 * _root(damaged),
        flat=255 * _root(flat),
        count=len(measured),
    )


@dataclass(frozen=True)
class _Measured:
    """What is kept of a picture: some ratios, pairs of deviation and error, and sums of squares with their counts."""

    ratios: Tensor
    pixels: tuple[Tensor, Tensor]
    blocks: tuple[Tensor, Tensor]
    sums: list[Tensor]

    @classmethod
    def of(cls, samples: Iterable[Tensor], clean: Tensor, degraded: Tensor) -> _Measured:
        """Measure the samples of one picture."""
        mean, deviation = spread(samples)
        pixels = root_mean_square(deviation), root_mean_square(mean - clean)
        blocks = root_mean_square(deviation, BLOCK), root_mean_square(mean - clean, BLOCK)
        changed = (deviation > 0) | (mean != degraded)  # what stays as it was observed would always be in its interval
        ratios, where = _ratio(mean, deviation, clean)[changed], regions(degraded, clean)
        squares = pixels[0].square()
        sums = [torch.stack([squares[one].sum(), one.sum()]).double() for one in (squares.isfinite(), *where)]
        thinned = ratios[:: max(1, len(ratios) // KEPT)].clone()
        return cls(thinned, pixels, blocks, sums)


def _ratio(mean: Tensor, deviation: Tensor, clean: Tensor) -> Tensor:
    """Return the error of the mean in deviations, with the loss by rounding among them."""
    return (mean - clean).abs() / (deviation.square() + ROUNDING**2).sqrt()


def _quantile(x: Tensor, level: float) -> float:
    """Return the least value that a share of `level` of all values does not exceed."""
    return float(x.flatten().kthvalue(max(1, math.ceil(level * x.numel()))).values)


def _correlation(pairs: Sequence[tuple[Tensor, Tensor]]) -> float:
    """Return the correlation over the values of all pictures."""
    first, second = (torch.cat([pair[side].flatten() for pair in pairs]) for side in (0, 1))
    return pearson(first, second)


def _root(sums: Tensor) -> float:
    """Return the root of a mean, from its sum and its count; NaN of nothing."""
    return float(sums[0] / sums[1]) ** 0.5 if sums[1] else float("nan")
