"""What was asked of a training: nothing of it may be without effect."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import torch

from restoration.errors import BadOption, RestorationError
from restoration.picture import Picture
from restoration.tasks import describe, make_task
from restoration.training.settings import AUGMENTATION

if TYPE_CHECKING:
    from restoration.images.folders import Pair
    from restoration.recipe import Recipe

SIDE = 32
"""The pixels of a side of the picture that shows whether an option of a task changes what is made of a degraded one."""


def check_asked(asked: Collection[str], recipe: Recipe, pairs: Sequence[Pair], *, noisy: bool = False) -> None:
    """Raise `BadOption` for what changes nothing where the degraded pictures are given, in pairs or as `noisy` ones.

    `asked` are shares of `Augmentation`, as "undamaged", and options of the task, as "task.sigma"; others are fine.
    """
    if not noisy and not any(pair.degraded for pair in pairs[:1]):
        return
    shares = [f"--{name}" for name in AUGMENTATION if name in asked]
    options = [name.partition(".")[2] for name in asked if name.startswith("task.")]
    idle = shares + [f"--set task.{key}" for key in options if not _is_used(key, recipe)]
    if idle:
        raise BadOption(
            f"{', '.join(idle)}: for pictures that the task degrades; these are "
            f"{'noisy already' if noisy else 'pairs, of which the degraded ones are given'}, so leave it out"
        )


def _is_used(key: str, recipe: Recipe) -> bool:
    """Return whether an option of the task, as the scale of super-resolution, changes the pixels of a given picture."""
    name, options = recipe.task.name, recipe.task.options
    given = Picture(pixels=torch.rand(1, len(recipe.channels), SIDE, SIDE, generator=torch.Generator().manual_seed(0)))
    others = {other: value for other, value in options.items() if other != key}
    try:
        with_it, without = (describe(make_task(name, one), given).y for one in (options, others))
    except RestorationError:  # then it is needed
        return True
    return not torch.equal(with_it, without)
