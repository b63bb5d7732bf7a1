"""Methods compared from a program: their summary, which prints and shows itself as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from restoration.scoring.measures import DEFAULT, choose
from restoration.scoring.score import Scoring
from restoration.scoring.summary import Summary, summarise
from restoration.scoring.tables import as_markdown, as_text

if TYPE_CHECKING:
    from restoration.runtime import Restoration


@dataclass(frozen=True, kw_only=True)
class Comparison(Summary):
    """A summary that is printed as `restore score` prints it, and shown by notebooks."""

    def __str__(self) -> str:
        """Return the table as text."""
        return as_text(self)

    def _repr_markdown_(self) -> str:
        """Return the table as a notebook shows it."""
        return as_markdown(self)


def compare(
    methods: Mapping[str, Restoration],
    data: str | Path,
    *,
    metrics: Sequence[str] = DEFAULT,
    border: int = 0,
    seed: int = 0,
    limit: int = 0,
) -> Comparison:
    """Score methods on the same degraded pictures, and compare each with the first. Raises `RestorationError`.

    * `methods`: the methods by the labels that they are shown with.
    * `data`: a folder of pairs, or of clean pictures, which the task degrades.
    * `metrics`: the names of the metrics.
    * `border`: pixels left out at each edge.
    * `seed`: the seed of the first picture's damage, and of the methods.
    * `limit`: only the first so many pictures; 0 for all.
    """
    scoring = Scoring(methods, data, measures=choose(metrics), border=border, seed=seed, limit=limit)
    for _ in scoring:
        pass
    return Comparison(**vars(summarise(scoring)))
