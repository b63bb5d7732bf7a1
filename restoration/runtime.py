"""A restoration, prepared once and used for many pictures."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional

from restoration import weights as folders
from restoration.engine.answers import finished
from restoration.engine.ensemble import Ensemble
from restoration.engine.hardware import find_device, prepare
from restoration.engine.observed import placed
from restoration.engine.tiling import Tiled, parse_tile
from restoration.errors import BadOption, check_arguments
from restoration.images.given import itself, picture_of
from restoration.interfaces import Observation, Restorer, Result
from restoration.operators import agreeing
from restoration.picture import Picture, filled, is_grey, with_channels
from restoration.prepared import Conditions, Prepared
from restoration.processor import survive_forks
from restoration.realism import choose, mix
from restoration.recipe import split_task_options, with_options
from restoration.registry import registry, tell
from restoration.registry.cards import RestorerCard, SamplerCard, TaskCard
from restoration.samples import Samples, parse_seed
from restoration.tasks import check_described, check_options, describe, make_task, told_by, with_scale


class Restoration:
    """A method that is ready for pictures: its weights are found, checked and loaded on its device.

    Raises `RestorationError` if anything does not fit.

    * `method`, `task`: their names.
    * `task_options`: what is known about the pictures, such as their noise, the scale or the file of a kernel.
    * `weights`: a path, the name of a card or `owner/name[@revision]` on the Hub; None for the default.
    * `realism`: from 0, the mean of all likely pictures, to 1, one of them; None for that of the weights.
    * `steps`: the number of steps, None for that of the method.
    * `sampler`: the name of another sampler.
    * `network`: the name of another network, for methods without weights.
    * `options`: other options of the method or, as in "network.width", of one of its parts.
    * `ensemble`: whether the picture is restored in all positions that its task allows, and the results are averaged.
    * `consistent`: whether results are made to agree with what was measured, through the operator of the task.
    * `time_limit`: the seconds after which the last estimate is the result.
    * `device`: "cpu", "cuda", "cuda:1", "mps" or "auto".
    * `precision`: "fp32", "bf16", "fp16" or "auto".
    * `tile`: the side of windows in pixels, 0 for none, or "auto".
    * `offline`: whether weights on the Hub must be in its cache.
    """

    def __init__(
        self,
        method: str,
        task: str,
        *,
        task_options: Mapping[str, Any] | None = None,
        weights: str | None = None,
        realism: float | None = None,
        steps: int | None = None,
        sampler: str | None = None,
        network: str | None = None,
        options: Mapping[str, Any] | None = None,
        ensemble: bool = False,
        consistent: bool = False,
        time_limit: float | None = None,
        device: str = "auto",
        precision: str = "auto",
        tile: int | str = "auto",
        offline: bool = False,
    ) -> None:
        _check_task(method, task, consistent=consistent)
        self.method, self.task, self.consistent = method, task, consistent
        tile, positions = parse_tile(tile), Ensemble.of(method, task) if ensemble else Ensemble()
        own, shaping = split_task_options(options or {})
        self.task_options = {**shaping, **(task_options or {})}
        check_options(task, self.task_options)
        survive_forks()
        self.device = find_device(device)
        chosen = choose(method, task, weights=weights, realism=realism, offline=offline)
        self.folder, self.realism, self._draws = chosen.folder, chosen.realism, chosen.draws
        if self.folder:
            folders.check(self.folder, chosen.recipe)
            if not registry().card(RestorerCard, method).prior:  # a prior knows no scale
                trained = chosen.recipe.task.options
                self.task_options = with_scale(task, self.task_options, trained, self.folder.origin)
        sampling = {} if steps is None else {"steps": steps}
        if chosen.mean is not None and not self.realism:
            _check_idle(chosen.mean.origin, [*sampling, *own, *([sampler] if sampler else [])])
        owner = self.folder.origin if self.folder else None
        parts = {"network": network, "sampler": sampler}
        self.recipe = with_options(chosen.recipe, {**sampling, **own}, parts=parts, owner=owner)
        conditions = Conditions(
            device=self.device, precision=precision, tile=tile, ensemble=positions, time_limit=time_limit
        )
        self._method = Prepared(self.recipe, self.folder, conditions, chosen.recipe)
        self._mean: Prepared | None = None
        if chosen.mean is not None:
            recipe = chosen.mean.recipe()
            with_scale(task, self.task_options, recipe.task.options, chosen.mean.origin)
            self._mean = Prepared(recipe, chosen.mean, conditions, recipe)
        self.precision, self.network = self._method.precision, self._method.network

    def __repr__(self) -> str:
        weights = f" with {self.folder.origin}" if self.folder else ""
        return f"<Restoration by {self.method} for {self.task}{weights}, {self.precision} on {self.device}>"

    @property
    def tiled(self) -> Tiled:
        """The network of the method in windows; `AttributeError` where it has none."""
        return self._method.tiled

    @property
    def restorer(self) -> Restorer:
        """The method itself. Each thread has its own, since `told` is about one picture; they share the network."""
        return self._method.restorer

    @restorer.setter
    def restorer(self, restorer: Restorer) -> None:
        self._method.restorer = restorer

    def __call__(
        self,
        picture: Any,
        *,
        seed: int = 0,
        task_options: Mapping[str, Any] | None = None,
        observation: Observation | None = None,
        observe: Callable[[Tensor], None] = lambda guess: None,
    ) -> Result:
        """Restore one picture, or what was observed of one; `observe` sees every guess, `1 c h w`.

        A picture is a `Picture`, a path, the bytes of a file, an array, a tensor or an image of PIL, see `picture_of`;
        the `image` of the result has the same form. Several threads may call this at once.

        Guesses are of the size that the method works at: that of the picture, where the task has no working size.
        `task_options` are those of this picture alone, where they differ from the others'; `observation` is what
        `describe` has returned for it, if that was called before.
        """
        begin, seed = time.perf_counter(), parse_seed(seed)
        told: dict[str, str] = {}
        shaped: Callable[[Picture], Any] = itself
        if isinstance(picture, Observation):
            observation, picture = picture, Picture(pixels=picture.y)
        else:
            picture, shaped = picture_of(picture)
            told = told_by(self.task, {**self.task_options, **(task_options or {})})
            if self.consistent:  # which looks at the operator, if the method does not
                told = {option: field for option, field in told.items() if field != "operator"}
            if observation is None:
                observation = self.describe(picture, task_options)
        if self.consistent and observation.operator is None:
            raise BadOption(f"nothing of this picture was measured that a result could agree with: task {self.task!r}")
        pixels, ended, used = self._mixed(observation, seed, begin, observe, told)
        if self.consistent:
            pixels = agreeing(pixels, placed(observation, self.device, pixels.shape[1]))
        card = registry().card(TaskCard, self.task)
        if is_grey(observation.y) and not card.colours:  # a network tints what it saw in colours all its life
            pixels = with_channels(pixels, 1)
        pixels = with_channels(pixels.cpu().clamp(0, 1), picture.pixels.shape[1])
        if card.lossy:
            picture = dataclasses.replace(picture, compression=None)
        restored = finished(picture, observation, pixels)
        result = Result(
            picture=restored,
            method=self.method,
            task=self.task,
            weights=self.folder.origin if self.folder else None,
            seed=seed,
            device=str(self.device),
            precision=self.precision,
            tile=used[-1].tile,
            evaluations=sum(one.evaluations for one in used),
            seconds=round(time.perf_counter() - begin, 3),
            ensemble=len(self._method.conditions.ensemble),
            realism=self.realism,
            mean=self._mean.folder.origin if self._mean and self._mean.folder else None,
            ended=ended,
            told=used[-1].told,
            image=shaped(restored),
        )
        tell("restored", result=result)
        return result

    def samples(
        self, picture: Any, count: int, *, seed: int = 0, task_options: Mapping[str, Any] | None = None
    ) -> Samples:
        """Draw `count` pictures with the seeds from `seed` on, as they are asked for, with their mean and deviation.

        See a call for `picture` and `task_options`. Raises `BadOption` for a method whose results do not depend on the
        seed.
        """
        self.check_draws()
        return Samples(lambda number: self(picture, seed=seed + number, task_options=task_options), count)

    def check_draws(self) -> None:
        """Raise `BadOption` if every seed gives the same picture, so that there is nothing to sample."""
        known = {one.name for one in registry().cards(SamplerCard) if one.stochastic}
        part = self.recipe.sampler
        sampler, eta = (part.name, part.options.get("eta")) if part else ("", None)
        draws = sampler in known if eta is None else eta > 0  # the share of noise, of samplers that have such an option
        if self._draws is None and sampler and not draws:
            names = ", ".join(sorted(known))
            raise BadOption(
                f"sampler {sampler!r} draws nothing at random: all samples would be equal; name one that does with "
                f"--sampler: {names}"
            )
        if self._draws is False and self.realism is None:
            raise BadOption(f"method {self.method!r} draws nothing at random: all samples would be equal")
        if self._draws is False:
            raise BadOption(
                f"at realism 0 method {self.method!r} gives the most likely picture, whatever the seed; name another "
                "--realism, up to 1"
            )

    def describe(self, picture: Picture, task_options: Mapping[str, Any] | None = None) -> Observation:
        """Return what is known about a picture; its `y`, `1 c h w`, has the size of the result. Raises `BadOption`."""
        options = {**self.task_options, **(task_options or {})}
        check_described(self.task, options, self.method, consistent=self.consistent)
        return describe(make_task(self.task, options), filled(picture))

    def _mixed(
        self,
        observation: Observation,
        seed: int,
        begin: float,
        observe: Callable[[Tensor], None],
        told: Mapping[str, str],
    ) -> tuple[Tensor, str, list[Prepared]]:
        """Return the pixels that the realism asks for, why they are the last, and what was used, the method last.

        See `Prepared.__call__` for the parameters.
        """
        if self._mean is None:
            pixels, ended = self._method(observation, seed, begin, observe, told)
            return pixels, ended, [self._method]
        mean, ended = self._mean(observation, seed, begin, observe, {})
        if not self.realism:
            return mean, ended, [self._mean]
        if self.recipe.from_mean:
            observation = dataclasses.replace(observation, mean=mean.clamp(0, 1))
        strength = self.realism

        def see(guess: Tensor) -> None:
            observe(mix(_fitted(mean, guess), guess, strength))

        pixels, ended = self._method(observation, seed, begin, see, told)
        return mix(_fitted(mean, pixels), pixels, strength), ended, [self._mean, self._method]


def _check_task(method: str, task: str, *, consistent: bool) -> None:
    """Raise `BadOption` for a task that a method is not made for, or that no result can be consistent with.

    Raises `UnknownName` for names that there are not.
    """
    card, of_task = registry().card(RestorerCard, method), registry().card(TaskCard, task)
    if not of_task.linear and consistent:
        raise BadOption(f"task {task!r} measures nothing that a result could agree with; leave --consistent out")
    if not card.serves(of_task):
        others = " and other tasks that know their operator" if "operator" in (card.uses or ()) else ""
        raise BadOption(f"method {method!r} is made for {', '.join(card.tasks)}{others}, not for {task}")


def _check_idle(mean: str, options: Sequence[str]) -> None:
    """Raise `BadOption` for options of sampling where the answer is the mean alone."""
    if options:
        raise BadOption(
            f"at realism 0 the answer is that of {mean}, and {options[0]!r} is for sampling, which has no part in it; "
            "leave it out, or ask for another realism"
        )


def _fitted(mean: Tensor, guess: Tensor) -> Tensor:
    """Return a mean, `b c h w`, in the size and channels of a guess, which may be that of a small copy."""
    mean, size = with_channels(mean, guess.shape[1]), list(guess.shape[-2:])
    if list(mean.shape[-2:]) == size:
        return mean
    return functional.interpolate(mean, size, mode="bilinear", antialias=True)


def restore(image: Any, method: str, task: str, *, seed: int = 0, **options: Any) -> Result:
    """Restore one picture: a path, the bytes of a file, a `Picture`, an array, a tensor or an image of PIL.

    The `image` of the result has the same form, see `restoration.images.given.picture_of`. `options` are those of
    `Restoration`. Raises `RestorationError`.

    Example: `restore("noisy.png", "denoising-ode", "denoise", task_options={"sigma": 25}).picture`.
    """
    check_arguments("restore", Restoration, options)
    prepare()
    return Restoration(method, task, **options)(image, seed=seed)
