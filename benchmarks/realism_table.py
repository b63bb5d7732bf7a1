"""The table of `benchmarks/realism.py`: its columns, what each task is to reach, and its curve."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from restoration.training.plot import line_plot

COLUMNS: dict[str, tuple[str, str]] = {
    "psnr": ("PSNR, dB", ".2f"),
    "features": ("features", ".3f"),
    "features2": ("features, unseen network", ".3f"),
    "lpips": ("LPIPS", ".3f"),
    "fd": ("FD", ".1f"),
    "fd2": ("FD, unseen network", ".1f"),
    "spectrum": ("spectrum, dB", ".2f"),
    "niqe": ("NIQE", ".2f"),
    "hf": ("HF, dB", "+.1f"),
    "damaged": ("deviation, damaged", ".2f"),
    "flat": ("flat", ".2f"),
    "pixels": ("correlation, pixels", ".2f"),
    "blocks": ("8x8", ".2f"),
    "coverage": ("coverage of 90 %", ".0%"),
    "measured": ("from what was measured", ".2f"),
    "evaluations": ("evaluations", "d"),
    "seconds": ("seconds", ".2f"),
}
"""Numbers by name: the head of their column, and how they are printed. All that were measured have a column."""


NOTES = (
    "HF is the power above 0.15 cycles per pixel against the clean picture's, in dB; the deviation of samples, root "
    "mean square, is in levels of 255; coverage is of intervals scaled on the other half of the pictures; how far "
    "a result is from what was measured is that of what the operator makes of it, root mean square, in levels",
    "a measure that a network was trained with does not judge that network alone: none of these was trained with any, "
    "and `features2` is of another network than `features` and `fd`",
    "differences of `features` below 0.1, and of `fd` below 3, say little for a dozen pictures",
)
"""What belongs below the table."""


@dataclass(frozen=True)
class Setting:
    """A way to restore, its realism if it has one, and its numbers."""

    label: str
    realism: float | None
    numbers: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a task is to reach: the FD as a share of regression's and the PSNR against it, of a sample and at 0.5."""

    fd: float
    psnr: float
    fd_half: float
    psnr_half: float
    evaluations: float = math.inf


NOISE = Limits(fd=0.5, psnr=-0.8, fd_half=0.6, psnr_half=-0.1)
OTHERS = Limits(fd=0.75, psnr=-1.5, fd_half=1.0, psnr_half=-0.4)
LIMITS = {
    "sr": Limits(fd=0.33, psnr=-2.0, fd_half=0.5, psnr_half=-0.5, evaluations=20),
    "denoise-25": NOISE,
    "denoise-50": NOISE,
}
"""The limits of a task; those of all others are `OTHERS`."""


@dataclass(frozen=True)
class Found:
    """The settings of tasks and their titles, by the names of their rows, and what the metrics are."""

    tasks: dict[str, list[Setting]]
    titles: dict[str, str]
    protocols: list[str]

    @classmethod
    def read(cls, files: Sequence[Path]) -> Found:
        """Read what runs before have written; of a task that is in several files the last counts."""
        found = cls({}, {}, [])
        for content in (json.loads(file.read_text()) for file in files):
            found.tasks.update({name: [Setting(**one) for one in each] for name, each in content["tasks"].items()})
            found.titles.update(content["titles"])
            found.protocols.extend(one for one in content["protocols"] if one not in found.protocols)
        return found

    def text(self, *names: str) -> str:
        """Return the tables of tasks, each with what holds of what it is to reach."""
        return "\n".join(
            f"{table(self.titles[name], self.tasks[name])}\n{verdicts(name, self.tasks[name])}" for name in names
        )

    def write(self, out: Path) -> None:
        """Write everything to a folder: tables and notes, the curve, and all numbers."""
        out.mkdir(parents=True, exist_ok=True)
        notes = "\n".join(f"* {one}" for one in (*self.protocols, *NOTES))
        (out / "realism.md").write_text(f"{self.text(*self.tasks)}\n{notes}\n")
        (out / "realism.svg").write_text(curve({self.titles[name]: each for name, each in self.tasks.items()}))
        tasks = {name: [vars(one) for one in settings] for name, settings in self.tasks.items()}
        content = {"protocols": self.protocols, "titles": self.titles, "tasks": tasks}
        (out / "realism.json").write_text(json.dumps(content, indent=1) + "\n")


def table(title: str, settings: Sequence[Setting]) -> str:
    """Return a Markdown table of the settings of a task."""
    shown = [key for key in COLUMNS if any(key in one.numbers for one in settings)]
    lines = [f"| {title} | " + " | ".join(COLUMNS[key][0] for key in shown) + " |", "|---" * (len(shown) + 1) + "|"]
    for one in settings:
        cells = [_number(one.numbers.get(key, math.nan), COLUMNS[key][1]) for key in shown]
        lines.append(f"| {one.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def verdicts(name: str, settings: Sequence[Setting]) -> str:
    """Return a list of what a task is to reach, each with what was measured and whether it holds."""
    return "\n".join(_verdicts(LIMITS.get(name, OTHERS), settings)) + "\n"


def _verdicts(limits: Limits, settings: Sequence[Setting]) -> Iterator[str]:
    mean = settings[0].numbers
    for realism, fd, loss in ((1.0, limits.fd, limits.psnr), (0.5, limits.fd_half, limits.psnr_half)):
        for one in (one.numbers for one in settings if one.realism == realism):
            share = one.get("fd", math.nan) / mean.get("fd", math.nan)
            yield _says(f"realism {realism:g}: FD at most {fd:g} of regression's", share, lambda value: value <= fd)  # noqa: B023
            difference = one["psnr"] - mean["psnr"]
            yield _says(f"realism {realism:g}: PSNR {loss:+g} dB or more", difference, lambda value: value >= loss)  # noqa: B023
    sample = next((one.numbers for one in settings if one.realism == 1), {})
    half = next((one.numbers for one in settings if one.realism == 0.5), {})
    for key, what, fits in (
        ("evaluations", f"evaluations of a sample, {limits.evaluations:g} at most", lambda v: v <= limits.evaluations),
        ("damaged", "deviation of samples where damaged, 2 levels or more", lambda v: v >= 2),
        ("flat", "deviation of samples where intact and flat, below 0.5 levels", lambda v: v < 0.5),
        ("blocks", "correlation of deviation and error in 8x8, 0.6 or more", lambda v: v >= 0.6),
        ("coverage", "coverage of 90 % intervals, 0.85 to 0.95", lambda v: 0.85 <= v <= 0.95),
        ("hf", "high frequencies of a sample, within 3 dB", lambda v: abs(v) <= 3),
    ):
        if key != "evaluations" or limits.evaluations < math.inf:
            yield _says(what, sample.get(key, math.nan), fits)
    difference = half.get("features", math.nan) - mean.get("features", math.nan)
    yield _says("realism 0.5: features less regression's, below 0", difference, lambda value: value < 0)


def _says(what: str, value: float, fits: Callable[[float], bool]) -> str:
    if math.isnan(value):
        return f"- not measured: {what}"
    return f"- {'holds' if fits(value) else 'DOES NOT HOLD'}: {what}: {value:.3g}"


def curve(found: Mapping[str, Sequence[Setting]]) -> str:
    """Return an SVG of FD as a share of regression's over the decibels lost: a line a task, from regression to 1."""
    series = {}
    for title, settings in found.items():
        mean = settings[0].numbers
        mixed = [one.numbers for one in settings if one.realism is not None]
        if "fd" in mean:
            series[title] = [(one["psnr"] - mean["psnr"], one["fd"] / mean["fd"]) for one in (mean, *mixed)]
    return line_plot(
        series,
        title="Perception and distortion: realism 0, 0.3, 0.5, 0.7, 1",
        x_label="PSNR against regression, dB",
        y_label="FD, share of regression's",
        height=420,
    )


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else f"{int(value):d}" if form == "d" else f"{value:{form}}"
