"""A restoration, prepared once and used for many pictures."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor

from restoration import weights as folders
from restoration.engine.answers import Own, finished, guesses_of, label, told_of
from restoration.engine.ensemble import Ensemble
from restoration.engine.hardware import (
    MMAP_MAX,
    MMAP_THRESHOLD,
    find_device,
    precision,
    precision_name,
    prepare,
    tune_allocator,
)
from restoration.engine.observed import at_working_size, placed
from restoration.engine.shrinking import carry_over
from restoration.engine.tiling import Tiled, auto_tile, parse_tile
from restoration.engine.watched import Watched
from restoration.errors import BadOption, BadPlugin, BadWeights, RestorationError
from restoration.images.given import itself, picture_of
from restoration.interfaces import BoundedNetwork, Observation, Restorer, Result
from restoration.layouts import MeasuredNetwork
from restoration.memory import is_out_of_memory
from restoration.picture import Picture, filled, with_channels
from restoration.processor import survive_forks
from restoration.randomness import DrawingFrom
from restoration.recipe import (
    Parts,
    Recipe,
    build_parts,
    build_restorer,
    default_recipe,
    split_task_options,
    with_options,
)
from restoration.registry import registry, tell
from restoration.registry.cards import NetworkCard, RestorerCard, TaskCard
from restoration.tasks import check_described, check_options, describe, make_task, told_by, with_scale

log = logging.getLogger("restoration")


class Restoration:
    """A method that is ready for pictures: its weights are found, checked and loaded on its device.

    Raises `RestorationError` if anything does not fit.

    * `method`, `task`: their names.
    * `task_options`: what is known about the pictures, such as their noise, the scale or the file of a kernel.
    * `weights`: a path, the name of a card or `owner/name[@revision]` on the Hub; None for the default.
    * `steps`: the number of steps, None for that of the method.
    * `sampler`: the name of another sampler.
    * `network`: the name of another network, for methods without weights.
    * `options`: other options of the method or, as in "network.width", of one of its parts.
    * `ensemble`: whether the picture is restored in all positions that its task allows, and the results are averaged.
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
        steps: int | None = None,
        sampler: str | None = None,
        network: str | None = None,
        options: Mapping[str, Any] | None = None,
        ensemble: bool = False,
        time_limit: float | None = None,
        device: str = "auto",
        precision: str = "auto",
        tile: int | str = "auto",
        offline: bool = False,
    ) -> None:
        card = registry().card(RestorerCard, method)
        registry().card(TaskCard, task)
        if card.tasks and task not in card.tasks:
            raise BadOption(f"method {method!r} is made for {', '.join(card.tasks)}, not for {task}")
        self.method, self.task, self.tile, self.time_limit = method, task, parse_tile(tile), time_limit
        self.anytime, self._card = card.anytime, card
        self.ensemble = Ensemble.of(method, task) if ensemble else Ensemble()
        own, of_task = split_task_options(options or {})
        self.task_options = {**of_task, **(task_options or {})}
        check_options(task, self.task_options)
        survive_forks()
        self.device = find_device(device)
        self.folder = folders.resolve(weights, method, task, offline=offline)
        recipe = self._recipe()
        if self.folder:
            folders.check(self.folder, recipe)
            self.task_options = with_scale(task, self.task_options, recipe.task.options, self.folder.origin)
        walk = {} if steps is None else {"steps": steps}
        owner = self.folder.origin if self.folder else None
        self.recipe = with_options(recipe, {**walk, **own}, parts={"network": network, "sampler": sampler}, owner=owner)
        with DrawingFrom(torch.Generator().manual_seed(0)):  # the program's own generator is none of our business
            parts = build_parts(self.recipe)
        self.precision = precision_name(precision, self.device, fits=parts.make_network is not None)
        self.network = parts.network
        if parts.network is not None:
            if self.folder:
                folders.load(self.folder, parts.network.network, recipe)
            parts.network.eval().requires_grad_(False)
            parts.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            inner = parts.network.network
            reach = inner.reach if isinstance(inner, BoundedNetwork) else self._network_card().reach
            self.tiled = Tiled(parts.network, 0, reach, inner.multiple if isinstance(inner, MeasuredNetwork) else 1)
            self.tiled.register_forward_hook(self._count)
            parts = Parts(**{**vars(parts), "network": self.tiled})
        self._parts, self._own = parts, Own()
        self._own.restorer = build_restorer(self.recipe, parts)  # which shows here what does not fit

    @property
    def restorer(self) -> Restorer:
        """The method itself. Each thread has its own, which share the network: it may tell about another picture."""
        if self._own.restorer is None:
            self._own.restorer = build_restorer(self.recipe, self._parts)
        return self._own.restorer

    @restorer.setter
    def restorer(self, restorer: Restorer) -> None:
        self._own.restorer = restorer

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
        begin = time.perf_counter()
        told: dict[str, str] = {}
        shaped: Callable[[Picture], Any] = itself
        if isinstance(picture, Observation):
            observation, picture = picture, Picture(pixels=picture.y)
        else:
            picture, shaped = picture_of(picture)
            told = told_by(self.task, {**self.task_options, **(task_options or {})})
            if observation is None:
                observation = self.describe(picture, task_options)
        whole = placed(observation, self.device, len(self.recipe.channels))
        small = at_working_size(whole, self.recipe.working_size)
        self._own.evaluations, check = 0, registry().card(RestorerCard, self.method).uses is None

        def restore(seen: Observation, observe: Callable[[Tensor], None]) -> tuple[Tensor, str]:
            watched = Watched.of(seen)
            guess, ended = self._guess(watched, seed, begin, observe)
            if told and check:
                watched.check(told, self.method)
            return guess, ended

        guess, ended = self.ensemble(small, restore, observe)
        pixels = with_channels(carry_over(whole.y, small.y, guess.float()).cpu().clamp(0, 1), picture.pixels.shape[1])
        if registry().card(TaskCard, self.task).lossy:
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
            tile=self.tiled.tile if self.network is not None else 0,
            evaluations=self._own.evaluations,
            seconds=round(time.perf_counter() - begin, 3),
            ensemble=len(self.ensemble),
            ended=ended,
            told=told_of(self.restorer, self.method),
            image=shaped(restored),
        )
        tell("restored", result=result)
        return result

    def describe(self, picture: Picture, task_options: Mapping[str, Any] | None = None) -> Observation:
        """Return what is known about a picture; its `y`, `1 c h w`, has the size of the result. Raises `BadOption`."""
        options = {**self.task_options, **(task_options or {})}
        check_described(self.task, options, self.method)
        return describe(make_task(self.task, options), filled(picture))

    def _guess(
        self, observation: Observation, seed: int, begin: float, observe: Callable[[Tensor], None]
    ) -> tuple[Tensor, str]:
        """Run the method on an observation; return its last estimate, and why it is the last.

        The time limit counts from `begin`.
        """
        self._set_tile(observation.y)
        guess, ended = None, "done"
        try:
            with torch.inference_mode(), precision(self.precision, self.device):
                for guess in guesses_of(self.restorer, self.method, observation, seed):
                    observe(guess)
                    if self.time_limit is not None and time.perf_counter() - begin > self.time_limit:
                        ended = "time limit"
                        break
        except KeyboardInterrupt:
            if guess is None or not self.anytime:
                raise
            ended = "Ctrl-C"
        except ValueError as error:
            raise BadOption(f"method {self.method!r}: {error}") from error
        except SystemExit as error:
            raise BadPlugin(f"{label(self.method)} ends the program instead of answering") from error
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise RestorationError("out of memory, even in small tiles; close other programs") from error
            raise
        if guess is None:
            raise BadPlugin(f"{label(self.method)} gave no picture")
        if not bool(torch.isfinite(guess.sum())):
            hint = "" if self.precision == "fp32" else "; try --precision fp32"
            raise BadPlugin(f"{label(self.method)} gave numbers that are not finite{hint}")
        return guess, ended

    def _recipe(self) -> Recipe:
        """The recipe of the weights, or the method's own; its method and task must be those asked for."""
        if self.folder is None:
            return default_recipe(self.method, self.task)
        if self._card.prior:
            return folders.recipe_with_prior(self.folder, self.method, self.task)
        recipe = self.folder.recipe()
        twins = {card.name for card in registry().cards(RestorerCard) if card.factory == self._card.factory}
        if recipe.method.name in twins - {self.method}:
            own = default_recipe(self.method, self.task)  # another walk with the same network
            recipe = replace(recipe, method=own.method, sampler=own.sampler)
        if (recipe.method.name, recipe.task.name) != (self.method, self.task):
            made = f"--method {recipe.method.name} --task {recipe.task.name}"
            raise BadWeights(f"{self.folder.origin} holds weights for {made}; ask for these, or name others")
        return recipe

    def _set_tile(self, y: Tensor) -> None:
        """Choose the size of the windows for this picture."""
        if self.network is None:
            return
        inner = self.network.network
        card = inner if isinstance(inner, MeasuredNetwork) else self._network_card()
        height, width = y.shape[-2:]
        needed = card.bytes_per_pixel * (1.0 if self.precision == "fp32" else 0.5)
        chosen = auto_tile(height, width, needed, self.tiled.halo, self.device) if self.tile == "auto" else self.tile
        if (tile := int(chosen)) and not card.tiles:
            log.warning("the network looks at the whole picture at once: its windows will differ from it")
        self.tiled.tile = tile
        if tile:  # tensors of a whole large picture go back to the system when freed, those of a window stay
            tune_allocator({MMAP_MAX: 65536, MMAP_THRESHOLD: 32 << 20})

    def _network_card(self) -> NetworkCard:
        assert self.recipe.network is not None
        return registry().card(NetworkCard, self.recipe.network.name)

    def _count(self, *_: object) -> None:
        self._own.evaluations += 1


def restore(
    image: Any,
    method: str,
    task: str,
    *,
    seed: int = 0,
    **options: Any,
) -> Result:
    """Restore one picture: a path, the bytes of a file, a `Picture`, an array, a tensor or an image of PIL.

    The `image` of the result has the same form, see `restoration.images.given.picture_of`. `options` are those of
    `Restoration`. Raises `RestorationError`.

    Example: `restore("noisy.png", "denoising-ode", "denoise", task_options={"sigma": 25}).picture`.
    """
    prepare()
    return Restoration(method, task, **options)(image, seed=seed)
