"""Patches for networks that enlarge: the small pictures themselves, of one scale in a step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from restoration.errors import BadOption
from restoration.interfaces import EnlargingTask, KnowingTask
from restoration.randomness import keyed_generator
from restoration.tasks import make_task

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from restoration.recipe import Recipe
    from restoration.training.settings import Augmentation


class Enlarging:
    """Makes clean patches small, all patches of a step by one of the scales of the recipe's task.

    So they make one batch, and all processes that share it work on the same scale.
    """

    def __init__(self, recipe: Recipe, side: int, augmentation: Augmentation) -> None:
        """Raises `BadOption` for patches that no scale divides, of `side` pixels, and for undamaged ones."""
        name, options = recipe.task.name, recipe.task.options
        whole = make_task(name, options)
        assert isinstance(whole, EnlargingTask)
        multiple = math.lcm(*whole.scales)
        if side % multiple:
            several = f"the scales {', '.join(map(str, whole.scales))}, which are learned in turn"
            which = several if len(whole.scales) > 1 else f"the scale {multiple}"
            near = -(-side // multiple) * multiple
            raise BadOption(f"a patch of {side} pixels is no multiple of {which}; use --patch {near}")
        if augmentation.undamaged:
            raise BadOption("--undamaged: to a network that enlarges, no picture is undamaged; leave it out")
        self.tasks = [make_task(name, {**options, "scale": scale}) for scale in whole.scales]

    def small(self, clean: Tensor, seed: int, step: int, rng: Generator) -> Tensor:
        """Return what is left of clean patches, `b c h w`, in a step: `b c h/s w/s`."""
        at = int(torch.randint(len(self.tasks), (), generator=keyed_generator("scale", seed, step)))
        task = self.tasks[at]
        assert isinstance(task, KnowingTask)
        measured = task.observe(clean, rng).measured
        assert measured is not None
        return measured
