"""A method that is prepared once: its parts built, its weights on their device; from what was observed to pixels."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from restoration import weights as folders
from restoration.engine.answers import PerThread, guesses_of, label, told_of
from restoration.engine.ensemble import Ensemble
from restoration.engine.hardware import precision, precision_name
from restoration.engine.observed import at_working_size, placed
from restoration.engine.shrinking import carry_over
from restoration.engine.tiling import Tiled, auto_tile
from restoration.engine.watched import Watched
from restoration.errors import BadOption, BadPlugin, RestorationError
from restoration.interfaces import BoundedNetwork
from restoration.layouts import MeasuredNetwork
from restoration.memory import MMAP_MAX, MMAP_THRESHOLD, is_out_of_memory, tune_allocator
from restoration.randomness import DrawingFrom
from restoration.recipe import Parts, build_parts, build_restorer
from restoration.registry import registry
from restoration.registry.cards import NetworkCard, RestorerCard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from torch import Tensor

    from restoration.interfaces import Observation, Restorer
    from restoration.recipe import Recipe
    from restoration.weights import Folder

log = logging.getLogger("restoration")


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """How methods run.

    * `device`: where.
    * `precision`: "fp32", "bf16", "fp16" or "auto".
    * `tile`: the side of windows in pixels, 0 for none, or "auto".
    * `ensemble`: the positions whose results are averaged.
    * `time_limit`: seconds after which the last estimate is the result.
    """

    device: torch.device
    precision: str = "auto"
    tile: int | str = "auto"
    ensemble: Ensemble = field(default_factory=Ensemble)
    time_limit: float | None = None


class Prepared:
    """The method of a recipe, with its weights, ready for what is observed of pictures.

    `trained` is the recipe of the weights themselves, which may have other options. Raises `RestorationError` if
    anything does not fit.
    """

    def __init__(self, recipe: Recipe, folder: Folder | None, conditions: Conditions, trained: Recipe) -> None:
        self.recipe, self.folder, self.conditions, self.method = recipe, folder, conditions, recipe.method.name
        self.card = registry().card(RestorerCard, self.method)
        with DrawingFrom(torch.Generator().manual_seed(0)):  # the global generator stays as it is
            parts = build_parts(recipe)
        self.precision = precision_name(conditions.precision, conditions.device, fits=parts.make_network is not None)
        self.network = parts.network
        if parts.network is not None:
            if folder:
                folders.load(folder, parts.network.network, trained)
            parts.network.eval().requires_grad_(False)
            parts.network.to(conditions.device).to(memory_format=torch.channels_last)
            inner = parts.network.network
            reach = inner.reach if isinstance(inner, BoundedNetwork) else self._network_card().reach
            self.tiled = Tiled(parts.network, 0, reach, inner.multiple if isinstance(inner, MeasuredNetwork) else 1)
            self.tiled.register_forward_hook(self._count)
            parts = Parts(**{**vars(parts), "network": self.tiled})
        self._parts, self._own = parts, PerThread()
        self._own.restorer = build_restorer(recipe, parts)  # now, so that what does not fit is an error here

    @property
    def restorer(self) -> Restorer:
        """The method itself. Each thread has its own, since `told` is about one picture; they share the network."""
        if self._own.restorer is None:
            self._own.restorer = build_restorer(self.recipe, self._parts)
        return self._own.restorer

    @restorer.setter
    def restorer(self, restorer: Restorer) -> None:
        self._own.restorer = restorer

    @property
    def evaluations(self) -> int:
        """The evaluations of the network for the last picture of this thread."""
        return self._own.evaluations

    @property
    def tile(self) -> int:
        """The side of the windows of the last picture of this thread, 0 for none."""
        return self.tiled.tile if self.network is not None else 0

    @property
    def told(self) -> dict[str, Any]:
        """What the method says about its last picture in this thread."""
        return told_of(self.restorer, self.method)

    def __call__(
        self,
        observation: Observation,
        seed: int,
        begin: float,
        observe: Callable[[Tensor], None],
        told: Mapping[str, str],
    ) -> tuple[Tensor, str]:
        """Return pixels, `1 c h w` of the size of `y`, not clipped, and why they are the last estimate.

        * `observation`: what was observed, in the size of the result.
        * `seed`: the seed of all random numbers.
        * `begin`: when the work began, which the time limit counts from.
        * `observe`: sees every estimate, of the size that the method works at.
        * `told`: the options that told something, and the fields of the observation that they filled: in vain if the
          method does not look there, which raises `BadOption`.
        """
        whole = placed(observation, self.conditions.device, len(self.recipe.channels))
        small = at_working_size(whole, self.recipe.working_size)
        self._own.evaluations, check = 0, self.card.uses is None

        def restore(seen: Observation, observe: Callable[[Tensor], None]) -> tuple[Tensor, str]:
            watched = Watched.of(seen)
            guess, ended = self._guess(watched, seed, begin, observe)
            if self.recipe.from_mean and "mean" not in watched.read:
                raise BadPlugin(f"{label(self.method)} has weights whose path leads to the mean, and ignores it")
            if told and check:
                watched.check(told, self.method)
            return guess, ended

        guess, ended = self.conditions.ensemble(small, restore, observe)
        return carry_over(whole.y, small.y, guess.float()), ended

    def _guess(
        self, observation: Observation, seed: int, begin: float, observe: Callable[[Tensor], None]
    ) -> tuple[Tensor, str]:
        """Run the method on an observation; return its last estimate, and why it is the last."""
        self._set_tile(observation.y)
        guess, ended, limit = None, "done", self.conditions.time_limit
        try:
            with torch.inference_mode(), precision(self.precision, self.conditions.device):
                for guess in guesses_of(self.restorer, self.method, observation, seed):
                    observe(guess)
                    if limit is not None and time.perf_counter() - begin > limit:
                        ended = "time limit"
                        break
        except KeyboardInterrupt:
            if guess is None or not self.card.anytime:
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

    def _set_tile(self, y: Tensor) -> None:
        """Choose the size of the windows for this picture."""
        if self.network is None:
            return
        inner, tile, device = self.network.network, self.conditions.tile, self.conditions.device
        known = inner if isinstance(inner, MeasuredNetwork) else self._network_card()
        height, width = y.shape[-2:]
        needed = known.bytes_per_pixel * (1.0 if self.precision == "fp32" else 0.5)
        chosen = auto_tile(height, width, needed, self.tiled.halo, device) if tile == "auto" else int(tile)
        if chosen and not known.tiles:
            name = self._network_card().name
            log.warning("%s looks at the whole picture at once: its windows will differ from it", name)
        self.tiled.tile = chosen
        if chosen:  # tensors of a whole large picture go back to the system when freed, those of a window stay
            tune_allocator({MMAP_MAX: 65536, MMAP_THRESHOLD: 32 << 20})

    def _network_card(self) -> NetworkCard:
        assert self.recipe.network is not None
        return registry().card(NetworkCard, self.recipe.network.name)

    def _count(self, *_: object) -> None:
        self._own.evaluations += 1
