"""What is known about a degraded picture, whether a task made it or it is a user's file."""

from __future__ import annotations

from collections.abc import Mapping
from glob import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.errors import BadOption, did_you_mean
from restoration.images.folders import pictures_in
from restoration.images.formats import is_picture
from restoration.interfaces import EnlargingTask, KnowingTask, Observation
from restoration.registry import registry
from restoration.registry.cards import CommandOption, RestorerCard, TaskCard

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


def options_of(
    name: str, options: Mapping[str, Any], source: Source | None, index: int, *, describing: bool = False
) -> dict[str, Any]:
    """Return the options of a task for one picture of several, with a file of its own instead of a folder of files.

    The file is the one with the name of the picture or, if there is none, the one at the same `index` of the folder,
    which is repeated if it has fewer files than there are pictures. Raises `BadOption` for a name that is empty. Where
    options are `describing` a picture that is damaged, so does a file at that place which is called as another picture
    beside this one is: it belongs to that.
    """
    files = {option.name for option in registry().card(TaskCard, name).asks if option.values in ("file", "map")}
    result = dict(options)
    for key in files & options.keys():
        if options[key] == "":
            raise BadOption(f"--{key} is empty, as by a variable that is not set; name a file")
        folder = Path(options[key]) if isinstance(options[key], str | PathLike) else None
        if folder is not None and folder.is_dir():
            found = pictures_in(folder)
            named = next((path for path in found if source is not None and path.stem == source.stem), None)
            placed = found[index % len(found)]
            if named is None and describing and isinstance(source, Path):
                _check_owner(key, source, placed, found)
            result[key] = str(named or placed)
    return result


def _check_owner(key: str, source: Path, placed: Path, files: list[Path]) -> None:
    """Raise `BadOption` for a file, of several, that goes with another picture than the `source`."""
    beside = source.parent.glob(f"{escape(placed.stem)}.*")
    if other := next((one for one in beside if is_picture(one.name) and one not in files), None):
        raise BadOption(f"no --{key} for {source}: none is called {source.stem}, and {placed} goes with {other}")


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raise `BadOption` for an option that the task does not have, or a value that does not fit."""
    card = registry().card(TaskCard, name)
    for key in options:
        if key not in card.options():
            others = [c.name for c in registry().cards(TaskCard) if any(o.name == key for o in c.asks)]
            hint = f"it belongs to {', '.join(others)}" if others else did_you_mean(key, card.options()).lstrip("; ")
            raise BadOption(f"task {name!r} has no option {key!r}{hint and f'; {hint}'}")
    make_task(name, options_of(name, options, None, 0))


def with_scale(name: str, options: Mapping[str, Any], trained: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return the options of a task with the scale of weights from `origin`, if their options `trained` have one alone.

    Raises `BadOption` for a scale that they were not trained with.
    """
    task = make_task(name, trained)
    if not isinstance(task, EnlargingTask):
        return dict(options)
    if "scale" not in options:
        return {**options, "scale": task.scales[0]} if len(task.scales) == 1 else dict(options)
    asked = make_task(name, options)
    if isinstance(asked, EnlargingTask) and not set(asked.scales) <= set(task.scales):
        known = ", ".join(map(str, sorted(set(task.scales))))
        raise BadOption(f"{origin} was trained to enlarge {known} times, not {options['scale']}")
    return dict(options)


def told_by(name: str, options: Mapping[str, Any]) -> dict[str, str]:
    """Return the options that tell a method more than its degraded picture shows, and the field each of them fills."""
    asks = registry().card(TaskCard, name).asks
    return {option.name: option.tells for option in asks if option.tells and option.name in options}


def check_described(
    name: str, options: Mapping[str, Any], method: str | None = None, *, consistent: bool = False
) -> None:
    """Raise `BadOption` for an option that would change nothing where a picture is restored, not degraded.

    Those are options that only shape what a task draws and, for a `method`, those that it does not use. A result that
    is to be `consistent` uses the operator, whatever the method.
    """
    card = registry().card(TaskCard, name)
    asked = {option.name: option for option in card.asks}
    describing = [f"--{one.name}" for one in card.asks if one.describes]
    for key in options:
        option = asked.get(key)
        if not (option.describes if option else card.linear and not describing):
            known = f"; what can be known of one is {', '.join(describing)}" if describing else ""
            raise BadOption(f"--{key} is about damage that task {name!r} draws, not about a given picture{known}")
        if option is not None and method is not None and not used_by(method, name, key, consistent=consistent):
            raise BadOption(f"method {method!r} does not use --{key}; {users(name, option)}")


def used_by(method: str, task: str, key: str, *, consistent: bool = False) -> bool:
    """Return whether an option of a task changes what a method makes of a given picture, as far as its card says.

    A result that is to be `consistent` uses the operator, whatever the method.
    """
    tells = next((option.tells for option in registry().card(TaskCard, task).asks if option.name == key), "")
    uses = registry().card(RestorerCard, method).uses
    return not tells or uses is None or tells in uses or (consistent and tells == "operator")


def users(task: str, option: CommandOption) -> str:
    """Return which methods use an option of a task, in words."""
    of_task = registry().card(TaskCard, task)
    found = [
        card.name
        for card in registry().cards(RestorerCard)
        if card.uses is not None and option.tells in card.uses and card.serves(of_task)
    ]
    return f"{', '.join(found)} {'do' if len(found) > 1 else 'does'}" if found else "no method that is installed does"
