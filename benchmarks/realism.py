"""How real, and how true: every task from its most likely picture to a sample, in one table and one curve.

    python benchmarks/realism.py --data DIR                       # every 6th picture, all tasks
    python benchmarks/realism.py --data DIR --every 1 --out realism/
    python benchmarks/realism.py --data DIR --tasks sr --weights sr=weights/ --sampler posterior --steps 20
    python benchmarks/realism.py --draw realism/realism.json --out realism/    # table and curve of runs before

DIR holds the sets of the field; the pictures are for research only and are not in this repository. Of each picture the
middle 256x256 pixels are taken; its number is the seed of its damage, which all settings share. Results are
`mean + s (sample - mean)` for the realism s: the mean is `regression`, a sample is what `ir-sde`, or for Gaussian
noise `denoising-ode`, draws with the weights that draw. All are rounded to 8 bits. `--out` has the table, the curve as
SVG and all numbers as JSON; `--pictures` also a sheet of each picture.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from realism_table import Found, Setting
from torch import Tensor

from restoration import Observation, Picture, Restoration, psnr, read, write
from restoration import weights as folders
from restoration.calibration import calibrate
from restoration.console import prepare
from restoration.errors import RestorationError
from restoration.images import pairs_in
from restoration.operators import agreeing
from restoration.picture import round_to_levels
from restoration.scoring.measures import Measure, choose
from restoration.tasks import OwnOptions, make_task, observe

SIDE, ALL = 256, 68
"""Pixels of a side; pictures of the largest set, CBSD68, from which `--every` of the smaller ones follows."""
METRICS = ("features", "features2", "fd", "spectrum", "niqe")
APART = 1_000_000
"""Seeds between those of the damage and those of samples: what is drawn must not be the noise of the damage again."""
HONESTY = ("damaged", "flat", "pixels", "blocks", "coverage")
"""What the table has of a `Calibration`."""
REALISM = (0.3, 0.5, 0.7, 1.0)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A task with its options on a set of clean pictures, or of pairs."""

    task: str
    title: str
    folder: str = "denoise/CBSD68"
    options: dict[str, Any] = field(default_factory=dict)
    draws: str = "ir-sde"
    """The method that draws."""
    known: bool = False
    """Whether one who restores such a picture knows the operator: the scale, the mask, not the shake of a camera."""


ROWS = {
    "sr": Row(task="sr", title="x4", options={"scale": 4}, known=True),
    "denoise-25": Row(task="denoise", title="noise, sigma 25", options={"sigma": 25.0}, draws="denoising-ode"),
    "denoise-50": Row(task="denoise", title="noise, sigma 50", options={"sigma": 50.0}, draws="denoising-ode"),
    "derain": Row(task="derain", title="rain, Rain100H", folder="rain/Rain100H"),
    "deblur": Row(task="deblur", title="camera shake", options={"kind": "shake"}),
    "inpaint": Row(task="inpaint", title="holes, thin", options={"mask": "inpaint_masks/thin"}, known=True),
    "dehaze": Row(task="dehaze", title="haze, SOTS indoor", folder="haze/SOTS_indoor"),
}


@dataclass
class Drawn:
    """A picture of a row: clean, what was observed of it, today's answers, the mean and the samples, not rounded."""

    clean: Tensor
    observation: Observation
    mean: Tensor
    today: Tensor
    samples: list[Tensor]
    consistent: bool = False

    def mixed(self, realism: float) -> list[Tensor]:
        """Return the results of a realism, one a sample."""
        found = [self.mean + realism * (one - self.mean) for one in self.samples]
        return [agreeing(one, self.observation) for one in found] if self.consistent else found

    def disagreement(self, result: Tensor) -> float:
        """Return how far what the operator makes of a result is from what was measured, RMS in levels; or NaN."""
        seen = self.observation
        if seen.operator is None:
            return math.nan
        wrong = seen.operator(result) - (seen.y if seen.measured is None else seen.measured)
        return 255 * float(wrong.square().mean().sqrt())


def observed(row: Row, data: Path, every: int) -> list[tuple[Tensor, Observation]]:
    """Return the pictures of a row, and what was observed of them."""
    found, pairs = [], pairs_in(data / row.folder)
    options = {**row.options, **({"mask": str(data / row.options["mask"])} if "mask" in row.options else {})}
    own = OwnOptions(row.task, options)
    for number in range(0, len(pairs), max(1, round(every * len(pairs) / ALL))):
        pair = pairs[number]
        clean = middle(read(pair.clean).pixels)
        if pair.degraded is not None:
            seen = Observation(y=middle(read(pair.degraded).pixels))
        else:
            seen = observe(make_task(row.task, own.of(None, number)), clean, torch.Generator().manual_seed(number))
        found.append((clean, seen if row.known else Observation(y=seen.y, sigma=seen.sigma)))
    return found


def middle(x: Tensor) -> Tensor:
    """Return the middle of a picture, rounded to 8 bits."""
    top, left = ((side - SIDE) // 2 for side in x.shape[-2:])
    return round_to_levels(x[..., top : top + SIDE, left : left + SIDE])


class Timed:
    """A restoration that counts its evaluations and seconds; the first picture, which is not counted, warms it up."""

    def __init__(self, restoration: Restoration, observation: Observation) -> None:
        self.restoration = restoration
        self.evaluations, self.seconds, self.calls = 0, 0.0, 0
        restoration(observation)

    def __call__(self, observation: Observation, seed: int) -> Tensor:
        begin = time.perf_counter()
        result = self.restoration(observation, seed=seed)
        self.seconds += time.perf_counter() - begin
        self.evaluations, self.calls = result.evaluations, self.calls + 1
        return result.picture.pixels

    def cost(self) -> tuple[int, float]:
        """Return the evaluations and the mean seconds of a picture."""
        return self.evaluations, self.seconds / max(1, self.calls)


def draw(row: Row, data: Path, chosen: argparse.Namespace, weights: str | None) -> tuple[list[Drawn], list[Timed]]:
    """Restore the pictures of a row in every way; return them and what was used: mean, today's, samples."""
    pictures = observed(row, data, chosen.every)
    method = row.draws
    realism: float | None = 1.0
    if weights is not None:
        folder = folders.resolve(weights, method, row.task, offline=True)
        assert folder is not None
        recipe = folder.recipe()
        method, realism = recipe.method.name, None if recipe.realism is None else 1.0  # what says nothing is not mixed
    sampling = {"steps": chosen.steps, "sampler": chosen.sampler}
    made = [
        Restoration("regression", row.task),
        Restoration("ir-sde", row.task, realism=0.0),
        Restoration(method, row.task, weights=weights, realism=realism, **sampling),
    ]
    timed = [Timed(one, pictures[0][1]) for one in made]
    drawn = []
    for clean, seen in pictures:
        mean, today = (one(seen, APART) for one in timed[:2])
        samples = [timed[2](seen, APART + seed) for seed in range(chosen.samples)]
        drawn.append(Drawn(clean, seen, mean, today, samples, chosen.consistent))
    return drawn, timed


def measure(row: Row, drawn: Sequence[Drawn], timed: Sequence[Timed], measures: Sequence[Measure]) -> list[Setting]:
    """Return the numbers of every setting of a row."""
    known = {
        one.name: torch.stack([one.features(each.clean) for each in drawn])
        for one in measures
        if one.features is not None
    }
    mean, today, sample = (one.cost() for one in timed)
    settings: list[tuple[str, float | None, tuple[int, float]]]
    settings = [("regression", None, mean), ("ir-sde today", None, today)]
    for share in REALISM:
        both = (sample[0] + mean[0], sample[1] + mean[1]) if share < 1 else sample
        settings.append((f"realism {share:g}", share, both))
    found = []
    for label, realism, (evaluations, seconds) in settings:
        answers = [
            (each.mean if label == "regression" else each.today) if realism is None else each.mixed(realism)[0]
            for each in drawn
        ]
        numbers = scores([round_to_levels(one.clamp(0, 1)) for one in answers], drawn, measures, known)
        if realism is not None and len(drawn) > 1 and len(drawn[0].samples) > 1:
            honest = calibrate([samples_of(each, realism) for each in drawn])
            numbers |= {key: number for key in HONESTY if math.isfinite(number := getattr(honest, key))}
        found.append(Setting(label, realism, {**numbers, "evaluations": evaluations, "seconds": seconds}))
        print(f"{row.title}, {len(drawn)} pictures: {label}", file=sys.stderr, flush=True)
    return found


def samples_of(each: Drawn, realism: float) -> tuple[list[Tensor], Tensor, Tensor]:
    """Return what `calibrate` asks for: samples, the clean picture and the degraded one."""
    return [round_to_levels(one.clamp(0, 1)) for one in each.mixed(realism)], each.clean, each.observation.y


def scores(
    results: Sequence[Tensor], drawn: Sequence[Drawn], measures: Sequence[Measure], known: dict[str, Tensor]
) -> dict[str, float]:
    """Return the metrics of results by name: means over pictures, or of their set."""
    from restoration_perceptual.spectrum import high_frequency_power

    pairs = [(one, each.clean) for one, each in zip(results, drawn, strict=True)]
    found = {
        "psnr": sum(psnr(*pair) for pair in pairs) / len(pairs),
        "hf": sum(high_frequency_power(*pair) for pair in pairs) / len(pairs),
    }
    wrong = [each.disagreement(one) for one, each in zip(results, drawn, strict=True)]
    found |= {} if math.isnan(sum(wrong)) else {"measured": sum(wrong) / len(wrong)}
    for one in measures:
        if one.of is not None:
            found[one.name] = sum(one.of(*pair) for pair in pairs) / len(pairs)
        elif one.features is not None and one.distance is not None:
            found[one.name] = one.distance(torch.stack([one.features(result) for result in results]), known[one.name])
    return found


def fetched(name: str) -> list[Measure]:
    """Return a metric, or none where its weights were not fetched."""
    try:
        return choose([name])
    except RestorationError:
        return []


def sheets(name: str, drawn: Sequence[Drawn], out: Path) -> None:
    """Write each picture as given, by regression, at realism 0.5, two samples, the deviation of all times 4, clean."""
    out.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(drawn):
        samples = each.mixed(1.0)
        deviation = 4 * torch.stack(samples).std(dim=0).mean(dim=1, keepdim=True).expand_as(each.mean)
        row = [each.observation.y, each.mean, each.mixed(0.5)[0], *samples[:2], deviation, each.clean]
        write(Picture(pixels=round_to_levels(torch.cat(row, dim=-1).clamp(0, 1))), out / f"{name}-{number:02}.png")


def main() -> None:
    """Measure the tasks, print and write what was found after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the sets of pictures")
    parser.add_argument("--tasks", nargs="+", default=[], help=f"rows of the table, or parts of: {', '.join(ROWS)}")
    parser.add_argument("--every", type=int, default=6, help="only every Nth picture")
    parser.add_argument("--samples", type=int, default=4, help="pictures that are drawn for each")
    parser.add_argument("--weights", nargs="+", default=[], metavar="TASK=FOLDER", help="weights that draw")
    parser.add_argument("--sampler", help="sampler of the weights that draw; default: theirs")
    parser.add_argument("--steps", type=int, help="steps of the weights that draw; default: theirs")
    parser.add_argument("--consistent", action="store_true", help="make results agree with what was measured")
    parser.add_argument("--metrics", nargs="+", help=f"{' '.join(METRICS)}, and lpips if its weights are here")
    parser.add_argument("--pictures", type=Path, help="folder for sheets of pictures")
    parser.add_argument("--out", type=Path, help="folder for realism.md, .svg and .json")
    parser.add_argument("--draw", type=Path, nargs="+", help="realism.json of runs before, shown instead of measuring")
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args()
    if (chosen.draw is None) == (chosen.data is None):
        parser.error("either --data DIR or --draw FILE")
    if chosen.draw:
        found = Found.read(chosen.draw)
        print(found.text(*found.tasks))
        if chosen.out:
            found.write(chosen.out)
        return
    prepare(chosen.threads)
    weights = dict(text.split("=", 1) for text in chosen.weights)
    measures = choose(chosen.metrics or METRICS) + ([] if chosen.metrics else fetched("lpips"))
    protocols = [f"`{one.name}`: {one.protocol(0)}" for one in measures]
    found = Found({}, {name: row.title for name, row in ROWS.items()}, protocols)
    for name, row in ROWS.items():
        if chosen.tasks and not any(word in name for word in chosen.tasks):
            continue
        try:
            drawn, timed = draw(row, chosen.data, chosen, weights.get(name, weights.get(row.task)))
        except RestorationError as error:
            print(f"{row.title}: {error}", flush=True)
            continue
        if chosen.pictures:
            sheets(name, drawn, chosen.pictures)
        found.tasks[name] = measure(row, drawn, timed, measures)
        print(found.text(name), flush=True)
        if chosen.out:
            found.write(chosen.out)
    print("\n".join(protocols))


if __name__ == "__main__":
    main()
