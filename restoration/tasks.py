"""What is known about a degraded picture, whether a task made it or it is a user's file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.errors import BadOption, did_you_mean
from restoration.images.folders import pictures_in
from restoration.interfaces import KnowingTask, Observation
from restoration.registry import registry
from restoration.registry.cards import TaskCard

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from restoration.images import Source
    from restoration.interfaces import Task
    from restoration.picture import Picture


def make_task(name: str, options: Mapping[str, Any] | None = None) -> Task:
    """Build a task by name. Raises `UnknownName` or `BadOption`."""
    task: Task = registry().card(TaskCard, name).build(options)
    return task


def observe(task: Task, x: Tensor, rng: Generator) -> Observation:
    """Return the observation of clean pictures `b c h w` that a task degrades."""
    return task.observe(x, rng) if isinstance(task, KnowingTask) else Observation(y=task(x, rng))


def describe(task: Task, picture: Picture) -> Observation:
    """Return what is known about a degraded picture, at least its pixels. Raises `BadOption` if that is too little."""
    return task.describe(picture) if isinstance(task, KnowingTask) else Observation(y=picture.pixels)


def options_of(name: str, options: Mapping[str, Any], source: Source | None, index: int) -> dict[str, Any]:
    """Return the options of a task for one picture of several, with a file of its own instead of a folder of files.

    The file is the one with the name of the picture or, if there is none, the one at the same `index` of the folder,
    which is repeated if it has fewer files than there are pictures.
    """
    files = {option.name for option in registry().card(TaskCard, name).asks if option.values == "file"}
    result = dict(options)
    for key in files & options.keys():
        folder = Path(str(options[key]))
        if folder.is_dir():
            found = pictures_in(folder)
            same = [path for path in found if source is not None and path.stem == source.stem]
            result[key] = str((same or [found[index % len(found)]])[0])
    return result


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raise `BadOption` for an option that the task does not have, or a value that does not fit."""
    card = registry().card(TaskCard, name)
    for key in options:
        if key not in card.options():
            others = [c.name for c in registry().cards(TaskCard) if any(o.name == key for o in c.asks)]
            hint = f"it belongs to {', '.join(others)}" if others else did_you_mean(key, card.options()).lstrip("; ")
            raise BadOption(f"task {name!r} has no option {key!r}{hint and f'; {hint}'}")
    make_task(name, options_of(name, options, None, 0))
