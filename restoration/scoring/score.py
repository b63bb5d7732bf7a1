"""Scores of methods on pictures of which the clean version is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from restoration.errors import BadOption
from restoration.images import read
from restoration.images.folders import Pair, pairs_in
from restoration.interfaces import Observation
from restoration.picture import round_to_levels, with_channels
from restoration.scoring.measures import DEFAULT, Measure, choose
from restoration.scoring.non_blind import non_blind, warn_of_non_blind
from restoration.tasks import OwnOptions, check_described, describe, make_task, observe, used_by

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.interfaces import Result
    from restoration.runtime import Restoration

INPUT, CLEAN = "input", "clean"
"""The labels of the degraded and of the clean pictures."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One picture: the scores of its degraded and of its restored version, by metric, and the seconds it took."""

    name: str
    before: dict[str, float]
    after: dict[str, float]
    seconds: float

    def row(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One picture and several methods: the scores of the degraded picture, and those of each method's result.

    `side` is the shorter side of what is compared, in pixels.
    """

    name: str
    side: int
    input: dict[str, float]
    restored: dict[str, dict[str, float]]
    seconds: dict[str, float]
    evaluations: dict[str, int]


def score(
    restoration: Restoration,
    data: str | Path,
    *,
    metrics: Sequence[str] = DEFAULT,
    border: int = 0,
    seed: int = 0,
    limit: int = 0,
) -> Iterator[Score]:
    """Score a method on every picture of a folder. Metrics of a whole set are left out. Raises `RestorationError`.

    * `restoration`: the method.
    * `data`: a folder of pairs, or of clean pictures, which the task degrades.
    * `metrics`: the names of the metrics.
    * `border`: pixels left out at each edge.
    * `seed`: the seed of the first picture's damage, and of the method.
    * `limit`: only the first so many pictures; 0 for all.
    """
    label = restoration.method
    for one in Scoring({label: restoration}, data, measures=choose(metrics), border=border, seed=seed, limit=limit):
        yield Score(name=one.name, before=one.input, after=one.restored[label], seconds=one.seconds[label])


class Scoring:
    """Scores methods on every pair of a folder, or on clean pictures, which the task degrades.

    All methods are given the same degraded pictures. Iterating over it scores picture by picture; then `done` holds all
    scores, and `distances` returns the metrics of whole sets. Raises `RestorationError` for pictures or options that do
    not fit.

    * `methods`: the methods by the labels that results are shown with; without any, the degraded pictures are scored.
    * `data`: a folder of pairs, or of clean pictures.
    * `task`, `task_options`: what degrades clean pictures, if there are no methods; else those of the methods are used.
    * `measures`: the metrics.
    * `border`: pixels left out at each edge.
    * `seed`: the seed of the methods; the damage of a picture is drawn with it plus the number of the picture, from 0.
    * `limit`: only the first so many pictures; 0 for all.
    * `pairs`: the pictures of `data`, if they are found already.
    """

    def __init__(
        self,
        methods: Mapping[str, Restoration],
        data: str | Path,
        *,
        task: str | None = None,
        task_options: Mapping[str, Any] | None = None,
        measures: Sequence[Measure] = (),
        border: int = 0,
        seed: int = 0,
        limit: int = 0,
        pairs: Sequence[Pair] | None = None,
    ) -> None:
        self.methods, self.data, self.border, self.seed = dict(methods), Path(data), border, seed
        self.measures = list(measures) or choose(DEFAULT)
        first = next(iter(self.methods.values()), None)
        self.task, self.task_options = (first.task, first.task_options) if first else (task, dict(task_options or {}))
        if any(one.task != self.task for one in self.methods.values()):
            raise BadOption("methods for different tasks cannot be compared")
        pairs = pairs_in(self.data) if pairs is None else list(pairs)
        self.found, self.pairs = len(pairs), pairs[:limit] if limit else pairs
        if self.task is None and self.pairs[0].degraded is None:
            raise BadOption(f"{data} holds clean pictures alone; say with --task how to degrade them")
        self.paired = self.pairs[0].degraded is not None
        if self.task is not None and self.paired:
            self._check_described()
        self.channels = max((len(one.recipe.channels) for one in self.methods.values()), default=3)
        self.done: list[Compared] = []
        self.results: dict[str, Result] = {}
        self._own = OwnOptions(self.task, self.task_options) if self.task else None
        self.informed: set[str] = set()
        self._features: dict[tuple[str, str], list[Tensor]] = {}

    def _check_described(self) -> None:
        """Raise `BadOption` for options about the degraded pictures of pairs that no method uses."""
        assert self.task is not None
        check_described(self.task, self.task_options)
        for key in self.task_options:
            used = (used_by(m.method, self.task, key, consistent=m.consistent) for m in self.methods.values())
            if self.methods and not any(used):
                check_described(self.task, {key: self.task_options[key]}, next(iter(self.methods.values())).method)

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self) -> Iterator[Compared]:
        self.done, self._features = [], {}
        for index, pair in enumerate(self.pairs):
            before = {key: len(features) for key, features in self._features.items()}
            try:
                self.done.append(self._compare(index, pair))
            except BaseException:
                self._features = {key: features[: before.get(key, 0)] for key, features in self._features.items()}
                raise
            yield self.done[-1]

    def end_here(self) -> None:
        """Be a scoring of the pictures that are done, where those to come cannot be scored any more."""
        self.pairs = self.pairs[: len(self.done)]

    def distances(self) -> dict[str, dict[str, float]]:
        """Return the metrics of whole sets, by method (or "input") and by metric."""
        return {
            label: {one.name: self._distance(one, label) for one in self.measures if one.of is None}
            for label in (INPUT, *self.methods)
        }

    def measured(self, measure: Measure) -> int:
        """Return how many pictures have room for a metric of sets."""
        return len(self._features.get((measure.name, CLEAN), ()))

    def _distance(self, measure: Measure, label: str) -> float:
        """Return the distance of the results of a method from the clean pictures; NaN if none has room for it."""
        if measure.distance is None or not self.measured(measure):
            return float("nan")
        return measure.distance(*(torch.stack(self._features[measure.name, who]) for who in (label, CLEAN)))

    def protocols(self) -> dict[str, str]:
        """Return what the numbers of each metric mean: how they are computed, and for which pictures."""
        return {one.name: f"{one.protocol(self.border)}; {self.pictures()}" for one in self.measures}

    def pictures(self) -> str:
        """Return a description of the pictures, and of how they were degraded."""
        limited = f"the first {len(self)} of " if len(self) < self.found else ""
        grey = "" if self.channels == 3 else ", in grey"
        given = ", ".join(f"{key}={value}" for key, value in self.task_options.items())
        kind = ("pair" if self.paired else "clean picture") + ("s" if self.found > 1 else "")
        words = f"{self.data.resolve().name}: {limited}{self.found} {kind}{grey}"
        if self.paired:
            task = f", task {self.task}" if self.task else ""
            return words + task + (f", seed {self.seed}" if self.methods else "")
        seeds = f"seed {self.seed}" if len(self) == 1 else f"seeds {self.seed} to {self.seed + len(self) - 1}"
        return f"{words}, degraded by task {self.task} ({given or 'its defaults'}), not rounded, {seeds}"

    def how(self, label: str) -> str:
        """Return a description of a method: its options, sampler, weights, device and seed."""
        result, method = self.results[label], self.methods[label]
        recipe, consistent = method.recipe, method.consistent
        known = self.task_options if self.paired else {}
        used = [key for key in known if used_by(result.method, result.task, key, consistent=consistent)]
        told = {key: known[key] for key in used}
        options = ", ".join(f"{key}={value}" for key, value in {**recipe.method.options, **told}.items())
        parts = [f"{result.method} ({options})" if options else result.method]
        parts += [f"sampler {recipe.sampler.name}"] if recipe.sampler else []
        parts += [f"weights {result.weights}"] if result.weights else []
        parts += [f"realism {result.realism:g}"] if result.realism else []
        parts += [f"with the mean of {result.mean}"] if result.mean else []
        parts += [f"mean of {result.ensemble} positions"] if result.ensemble > 1 else []
        parts += ["given the operator that was drawn"] if label in self.informed else []
        return ", ".join([*parts, f"{result.precision} on {result.device}", f"seed {self.seed}"])

    def observed(self, index: int) -> tuple[Tensor, Observation]:
        """Return a clean picture, `1 c h w`, and what all methods are given of it. Raises `RestorationError`."""
        pair = self.pairs[index]
        own = read(pair.clean).pixels
        clean = with_channels(own, self.channels)
        shown = own if own.shape[1] == 1 else clean  # the noise of a grey picture is grey
        observation = self._degrade(index, pair, shown)
        if not same_scene(observation, with_channels(shown, observation.y.shape[1])):
            raise BadOption(f"{pair.clean} and {pair.degraded or 'its degraded version'} have different sizes")
        height, width = (min(a, b) for a, b in zip(observation.y.shape[-2:], clean.shape[-2:], strict=True))
        return clean[..., :height, :width], observation

    def _compare(self, index: int, pair: Pair) -> Compared:
        clean, observation = self.observed(index)
        results = {label: self._restore(one, observation) for label, one in self.methods.items()}
        self.results = self.results or results
        self._describe(CLEAN, clean)
        return Compared(
            name=pair.clean.name,
            side=min(clean.shape[-2:]) - 2 * self.border,
            input=self._measure(INPUT, observation.y, clean),
            restored={label: self._measure(label, one.picture.pixels, clean) for label, one in results.items()},
            seconds={label: one.seconds for label, one in results.items()},
            evaluations={label: one.evaluations for label, one in results.items()},
        )

    def _degrade(self, index: int, pair: Pair, clean: Tensor) -> Observation:
        """Return what all methods are given: the degraded picture of a pair, or what the task makes of a clean one."""
        source = pair.degraded or pair.clean
        options = self._own.of(source, index) if self._own else {}
        if pair.degraded is None:
            assert self.task is not None
            made = observe(make_task(self.task, options), clean, torch.Generator().manual_seed(self.seed + index))
            informed = non_blind(self.methods, self.task, options, made)
            warn_of_non_blind(informed - self.informed, self.task)
            self.informed |= informed
            return made
        picture = read(pair.degraded)
        picture = picture.with_pixels(with_channels(picture.pixels, self.channels))
        return describe(make_task(self.task, options), picture) if self.task else Observation(y=picture.pixels)

    def _restore(self, restoration: Restoration, observation: Observation) -> Result:
        return restoration(observation, seed=self.seed)

    def _measure(self, label: str, image: Tensor, clean: Tensor) -> dict[str, float]:
        """Measure an image, `1 c h w`; the features for metrics of sets are stored for `distances`."""
        image = with_channels(image[..., : clean.shape[-2], : clean.shape[-1]], clean.shape[1])
        self._describe(label, round_to_levels(image))
        return measure(image, clean, self.border, self.measures)

    def _describe(self, label: str, image: Tensor) -> None:
        """Store the features of an image for the metrics of sets that it has room for."""
        image = crop_border(image, self.border)
        for one in self.measures:
            if one.features is not None and min(image.shape[-2:]) >= one.smallest:
                self._features.setdefault((one.name, label), []).append(one.features(image))


def same_scene(observation: Observation, clean: Tensor) -> bool:
    """Return whether an observation may be one of a clean picture: of its size or, if enlarged, of nearly its size.

    A picture whose sides are no multiples of the scale loses less than `scale` pixels when it is made smaller.
    """
    if observation.measured is None or observation.measured.shape == observation.y.shape:
        return observation.y.shape == clean.shape
    scale = round(observation.y.shape[-1] / observation.measured.shape[-1])
    sides = zip(observation.y.shape[-2:], clean.shape[-2:], strict=True)
    return observation.y.shape[:2] == clean.shape[:2] and all(abs(a - b) < scale for a, b in sides)


def measure(image: Tensor, clean: Tensor, border: int, measures: Sequence[Measure]) -> dict[str, float]:
    """Return the metrics of an image `1 c h w`, rounded to 8 bits; NaN if it is too small for one of them."""
    first, second = crop_border(round_to_levels(image), border), crop_border(clean, border)
    small = min(first.shape[-2:])
    return {
        one.name: one.of(first, second) if small >= one.smallest else float("nan")
        for one in measures
        if one.of is not None
    }


def crop_border(image: Tensor, border: int) -> Tensor:
    """Return `b c h w` without a border. Raises `BadOption` if nothing is left."""
    height, width = image.shape[-2:]
    if not 0 <= 2 * border < min(height, width):
        raise BadOption(f"a border of {border} leaves nothing of {width}x{height} pixels; use a smaller --border")
    return image[..., border : height - border, border : width - border]
