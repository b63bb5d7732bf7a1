"""The summary of scores: means with intervals, and differences between methods with tests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from restoration.scoring import statistics
from restoration.scoring.measures import Measure
from restoration.scoring.score import INPUT, Compared, Scoring
from restoration.scoring.statistics import EXACT, FLIPS, RESAMPLES, PairedTest

FEW = 10
"""With fewer pictures than this, a 95 % bootstrap interval contains the mean in less than 90 % of cases."""


@dataclass(frozen=True, kw_only=True)
class Mean:
    """The mean of a metric over pictures and its 95 % interval, NaN if there is none."""

    mean: float
    low: float
    high: float
    pictures: int


@dataclass(frozen=True, kw_only=True)
class Column:
    """One method, or the input, on all pictures: the means of the metrics, of the seconds and of the evaluations."""

    label: str
    how: str
    means: dict[str, Mean]
    seconds: float | None = None
    evaluations: float | None = None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The difference in a metric between a method and another one, on the same pictures."""

    label: str
    against: str
    measure: Measure
    test: PairedTest

    def __str__(self) -> str:
        """Return it in words: "b against a, PSNR: difference +0.12 dB [0.05, 0.19], p = 0.003"."""
        number, unit = self.measure.number, f" {self.measure.unit}" if self.measure.unit else ""
        who = f"{self.label} against {self.against}, {self.measure.title}"
        if math.isnan(self.test.p):
            return f"{who}: difference {number(self.test.difference, sign=True)}{unit}, not finite, so not tested"
        interval = f" [{number(self.test.low)}, {number(self.test.high)}]" if not math.isnan(self.test.low) else ""
        p = "p < 0.0001" if self.test.p < 0.0001 else f"p = {self.test.p:.2g}"
        return f"{who}: difference {number(self.test.difference, sign=True)}{unit}{interval}, {p}"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All that a table of scores shows; `protocols` explain the numbers of each metric, `notes` the table."""

    title: str
    measures: list[Measure]
    protocols: dict[str, str]
    columns: list[Column]
    differences: list[Difference]
    pictures: list[Compared]
    notes: list[str]


def summarise(scoring: Scoring) -> Summary:
    """Return the summary of a finished scoring. Its seed also draws the bootstrap samples and the sign flips."""
    values = {
        (label, one.name): [_get_value(picture, label, one.name) for picture in scoring.done]
        for label in (INPUT, *scoring.methods)
        for one in scoring.measures
        if one.of is not None
    }
    distances = scoring.distances()
    first, *others = list(scoring.methods) or [INPUT]
    tested = [one for one in scoring.measures if one.of is not None]
    differences = [
        Difference(
            label=label,
            against=first,
            measure=one,
            test=statistics.paired_test(values[first, one.name], values[label, one.name], seed=scoring.seed),
        )
        for label in others
        for one in tested
    ]
    return Summary(
        title=scoring.pictures(),
        measures=scoring.measures,
        protocols=scoring.protocols(),
        columns=[_make_column(scoring, label, values, distances[label]) for label in distances],
        differences=differences,
        pictures=scoring.done,
        notes=[
            *_note_small_pictures(scoring),
            *_note_no_numbers(scoring),
            *_note_statistics(len(scoring.done), scoring.seed, bool(differences)),
        ],
    )


def _get_value(picture: Compared, label: str, name: str) -> float:
    return (picture.input if label == INPUT else picture.restored[label])[name]


def _make_column(
    scoring: Scoring, label: str, values: Mapping[tuple[str, str], list[float]], distances: Mapping[str, float]
) -> Column:
    """Return the means of one method, or of the input, with their intervals."""
    means = {}
    for one in scoring.measures:
        if one.of is None:
            number = scoring.measured(one)
            means[one.name] = Mean(mean=distances[one.name], low=math.nan, high=math.nan, pictures=number)
            continue
        column = values[label, one.name]
        low, high = statistics.bootstrap_interval(column, seed=scoring.seed)
        present = sum(not math.isnan(value) for value in column)
        means[one.name] = Mean(mean=statistics.mean(column), low=low, high=high, pictures=present)
    if label == INPUT:
        return Column(label=INPUT, how="the degraded pictures as they are", means=means)
    return Column(
        label=label,
        how=scoring.how(label),
        means=means,
        seconds=round(statistics.mean([one.seconds[label] for one in scoring.done]), 4),
        evaluations=statistics.mean([one.evaluations[label] for one in scoring.done]),
    )


def _note_small_pictures(scoring: Scoring) -> list[str]:
    """Return notes about metrics that have no value for some pictures."""
    notes = []
    for one in scoring.measures:
        small = (
            len(scoring.done) - scoring.measured(one)
            if one.of is None
            else sum(picture.side < one.smallest for picture in scoring.done)
        )
        if small:
            notes.append(
                f"{one.title}: {small} of {len(scoring.done)} pictures are smaller than {one.smallest} pixels "
                "a side, and left out"
            )
    return notes


def _note_no_numbers(scoring: Scoring) -> list[str]:
    """Return notes about metrics that answered with NaN or infinity for pictures that they have room for."""
    notes = []
    for one, label in product((one for one in scoring.measures if one.of is not None), (INPUT, *scoring.methods)):
        fit = [picture for picture in scoring.done if picture.side >= one.smallest]
        if endless := [picture for picture in fit if math.isinf(_get_value(picture, label, one.name))]:
            notes.append(
                f"{one.title}: {label} is infinite for {len(endless)} of {len(scoring.done)} pictures, the first "
                f"{endless[0].name}, and so is its mean, whatever the others are"
            )
        if none := [picture for picture in fit if math.isnan(_get_value(picture, label, one.name))]:
            notes.append(
                f"{one.title}: {label} has no number (NaN) for {len(none)} of {len(scoring.done)} pictures, the first "
                f"{none[0].name}; its mean is that of the others"
            )
    return notes


def _note_statistics(number: int, seed: int, compared: bool) -> list[str]:
    """Return notes about how intervals and tests are computed."""
    notes = [
        f"[low, high]: 95 % interval of the mean over pictures, percentile bootstrap of {RESAMPLES} resamples, "
        f"seed {seed}"
    ]
    if number < FEW:
        notes.append(
            f"{number} picture{'s are' if number > 1 else ' is'} too few: such intervals are too narrow, or missing"
        )
    if compared:
        notes.append(
            f"p: two-sided paired test by flips of signs, all of them up to {EXACT} pictures, else {FLIPS} drawn with "
            f"seed {seed}; not corrected for the number of comparisons"
        )
    return notes
