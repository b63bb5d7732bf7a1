"""The metrics that scores are made of: built from their cards, and how their numbers are shown and taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from restoration.errors import BadOption, BadPlugin
from restoration.interfaces import DescribedMetric, SetMetric
from restoration.registry import registry
from restoration.registry.cards import MetricCard

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT = ("psnr_y", "psnr", "ssim_y", "ssim")
"""Quick, and without a package that does not come along."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A metric, ready: `of` two pictures, or the `distance` of two sets of `features` of pictures.

    `how` is its protocol but for the border; pictures with a shorter side than `smallest` pixels are left out.
    """

    name: str
    title: str
    how: str
    of: Callable[[Tensor, Tensor], float] | None = None
    features: Callable[[Tensor], Tensor] | None = None
    distance: Callable[[Tensor, Tensor], float] | None = None
    unit: str = ""
    digits: int = 4
    less_is_better: bool = False
    smallest: int = 1

    def number(self, value: float, *, sign: bool = False) -> str:
        """Return a value as it is printed: with its digits, "-" where there is none."""
        return "-" if math.isnan(value) else f"{value:{'+' if sign else ''}.{self.digits}f}"

    def protocol(self, border: int) -> str:
        """Return the words that belong beside its numbers: what is taken of what, and which way is better."""
        better = "less is better" if self.less_is_better else "more is better"
        return f"{self.how}, border {border}, results clipped and rounded to 8 bits, {better}"


def choose(names: Sequence[str]) -> list[Measure]:
    """Return metrics by name, ready; "MS-SSIM" is "ms_ssim". Raises `UnknownName`, or `BadOption` if one needs more."""
    wanted = list(dict.fromkeys(_known(name.strip()) for name in names if name.strip()))
    if not wanted:
        raise BadOption(
            f"no metric was named; there are {', '.join(card.name for card in registry().cards(MetricCard))}"
        )
    return [measure(registry().card(MetricCard, name)) for name in wanted]


def measure(card: MetricCard) -> Measure:
    """Return the metric of a card, ready. Raises `BadPlugin` for a factory that makes no metric."""
    metric = card.build()
    sets = isinstance(metric, SetMetric)
    if not sets and not callable(metric):
        raise BadPlugin(
            f"{registry().label(MetricCard, card.name)}: {card.factory} makes neither a `Metric` nor a `SetMetric`"
        )
    return Measure(
        name=card.name,
        title=card.title or card.name,
        how=metric.protocol if isinstance(metric, DescribedMetric) else card.summary,
        of=None if sets else _number(card.name, metric),
        features=metric.features if sets else None,
        distance=_number(card.name, metric.distance) if sets else None,
        unit=card.unit,
        digits=card.digits,
        less_is_better=card.less_is_better,
        smallest=card.smallest,
    )


def _known(name: str) -> str:
    """Return the name on a card for one that may be spelt otherwise."""
    spelt = {card.name.lower().replace("-", "_"): card.name for card in registry().cards(MetricCard)}
    return spelt.get(name.lower().replace("-", "_"), name)


def _number(name: str, metric: Callable[[Tensor, Tensor], Any]) -> Callable[[Tensor, Tensor], float]:
    """Return a metric that answers with numbers; raises `BadOption` for pictures that do not fit, else `BadPlugin`."""

    def measured(first: Tensor, second: Tensor) -> float:
        try:
            value = metric(first, second)
        except ValueError as error:
            raise BadOption(f"metric {name!r}: {error}") from error
        try:
            return float(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise BadPlugin(
                f"{registry().label(MetricCard, name)} gave {type(value).__name__}, which is not one number"
            ) from error

    return measured
