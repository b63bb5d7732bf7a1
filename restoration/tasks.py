"""What is known about a degraded picture, whether a task made it or it is a user's file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
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


class OwnFiles:
    """The files of a folder for an option, `key`, that go with the pictures of a run; see `OwnOptions`."""

    def __init__(self, key: str, folder: Path, *, describing: bool, remark: bool) -> None:
        self._key, self._folder, self._describing, self._remark = key, folder, describing, remark
        self._beside: dict[Path, dict[str, Path]] = {}

    @cached_property
    def _files(self) -> list[Path]:
        return pictures_in(self._folder, remark=self._remark)

    @cached_property
    def _named(self) -> dict[str, Path]:
        return {path.stem: path for path in reversed(self._files)}  # the first of those with one name

    def of(self, source: Source | None, index: int) -> Path:
        """Return the file of a picture, the one with its name or else at its `index`. Raises `BadOption`."""
        named = None if source is None else self._named.get(source.stem)
        placed = self._files[index % len(self._files)]
        if named is None and self._describing and isinstance(source, Path):
            self._check_owner(source, placed)
        return named or placed

    def _check_owner(self, source: Path, placed: Path) -> None:
        """Raise `BadOption` for a file that goes with another picture than the `source`."""
        folder = source.parent
        if folder not in self._beside:
            others = {*folder.glob("*")}.difference(self._files)
            self._beside[folder] = {one.stem: one for one in others if is_picture(one.name)}
        if other := self._beside[folder].get(placed.stem):
            why = f"none is called {source.stem}, and {placed} goes with {other}"
            raise BadOption(f"no --{self._key} for {source}: {why}")


class OwnOptions:
    """The options of a task for each picture of a run, with a file of its own instead of a folder of files.

    * `name`, `options`: the task, and its options for all pictures.
    * `describing`: whether they describe pictures that are damaged. A file that is called as another picture beside
      this one is belongs to that, then.
    * `remark`: whether it is logged what else is in a folder.

    Folders are listed once: files that are added later are not seen. Raises `BadOption` for a name that is empty.
    """

    def __init__(self, name: str, options: Mapping[str, Any], *, describing: bool = False, remark: bool = True) -> None:
        asks = registry().card(TaskCard, name).asks
        self._options, self._folders = dict(options), dict[str, OwnFiles]()
        for key in {option.name for option in asks if option.values in ("file", "map")} & options.keys():
            if not isinstance(options[key], str | PathLike):
                continue  # a number, or the map itself
            if options[key] == "":
                raise BadOption(f"--{key} is empty, as by a variable that is not set; name a file")
            folder = Path(options[key])
            if folder.is_dir():
                self._folders[key] = OwnFiles(key, folder, describing=describing, remark=remark)

    def of(self, source: Source | None, index: int) -> dict[str, Any]:
        """Return the options for a picture, `source`, that is at `index` of all.

        A file is the one with the name of the picture or, if there is none, the one at the same place of the folder,
        which is repeated if it has fewer files than there are pictures. Raises `BadPicture` for a folder without any,
        `BadOption` for one whose file there belongs to another picture.
        """
        return {**self._options, **{key: str(files.of(source, index)) for key, files in self._folders.items()}}


def options_of(
    name: str, options: Mapping[str, Any], source: Source | None, index: int, *, describing: bool = False
) -> dict[str, Any]:
    """Return the options of a task for one picture of several; for many of them use one `OwnOptions`, which says more.

    Raises `BadPicture` or `BadOption`.
    """
    return OwnOptions(name, options, describing=describing).of(source, index)


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raise `BadOption` for an option that the task does not have, or a value that does not fit."""
    card = registry().card(TaskCard, name)
    for key in options:
        if key not in card.options():
            others = [c.name for c in registry().cards(TaskCard) if any(o.name == key for o in c.asks)]
            hint = f"it belongs to {', '.join(others)}" if others else did_you_mean(key, card.options()).lstrip("; ")
            raise BadOption(f"task {name!r} has no option {key!r}{hint and f'; {hint}'}")
    make_task(name, OwnOptions(name, options, remark=False).of(None, 0))


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
