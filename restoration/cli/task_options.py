"""Options that tasks and methods ask for on the command line: `--sigma`, `--scale`, `--mask`, `--quality`..."""

from __future__ import annotations

import os
from typing import Any

import click

from restoration.cli.headings import KNOWN, Headed, HeadedCommand
from restoration.registry.cards import CommandOption, RestorerCard, TaskCard


class Text(click.ParamType):  # type: ignore[type-arg]  # it is generic in new releases of click
    """A word, or the path of a file, but for an empty one: that is the path of the folder that one is in."""

    name = "WORD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text."""
        if value == "":
            self.fail("it is empty, as by a variable that is not set", param, ctx)
        return value


class Numbers(click.ParamType):  # type: ignore[type-arg]  # it is generic in new releases of click
    """A number, or several with commas between them."""

    def __init__(self, *, whole: bool) -> None:
        self.name = "N" if whole else "X"
        self.whole = whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return one number, or a list of them."""
        if not isinstance(value, str):
            return value
        try:
            numbers = [int(part) if self.whole else float(part) for part in value.split(",")]
        except ValueError:
            self.fail(f"{value!r} is not a {'whole ' if self.whole else ''}number, nor several as in 5,50", param, ctx)
        return numbers[0] if len(numbers) == 1 else numbers


class Mixed(Numbers):
    """What cards ask for by one name and in different ways: a number where it can be one, else a text."""

    def __init__(self) -> None:
        super().__init__(whole=False)
        self.name = "VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a number, a list of them, or the text."""
        try:
            found = super().convert(value, param, ctx)
        except click.BadParameter:
            return value
        return int(found) if isinstance(found, float) and found.is_integer() and "." not in value else found


class Map(Mixed):
    """A number, or the path of a map of numbers."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a number, a list of them, or the path."""
        found = super().convert(value, param, ctx)
        if isinstance(found, str) and not any(os.path.exists(part) for part in (found, found.rpartition(":")[0])):
            self.fail(f"{value!r} is not a number, nor several as in 5,50, nor a file that is there", param, ctx)
        return found


class TaskCommand(HeadedCommand):
    """A command with a `--task`: it also has the options that tasks ask for, and is given them as `task_options`.

    With `describing` it only has those that describe a degraded picture; and it has the options that methods ask for,
    and is given them as further `options`.
    """

    def __init__(self, *arguments: Any, describing: bool = False, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.describing = describing
        self._asked: list[click.Option] | None = None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's own parameters and, before `--help`, those that tasks and methods ask for."""
        *own, last = super().get_params(ctx)
        taken = {param.name for param in own}
        if self._asked is None:
            self._asked = [option for option in _options(self.describing) if option.name not in taken]
        return [*own, *self._asked, last]

    def invoke(self, ctx: click.Context) -> Any:
        """Gather the values of these options, and of `--set task.KEY=VALUE`."""
        from restoration.recipe import split_task_options

        names = [option.name for option in self._asked or [] if option.name]
        given = {name: ctx.params.pop(name, None) for name in names}
        values = {name: value for name, value in given.items() if value is not None}
        of_tasks = _uses(TaskCard, describing=self.describing)
        of_methods = {name: value for name, value in values.items() if name not in of_tasks}
        own, of_task = split_task_options({**of_methods, **ctx.params["options"]})
        ctx.params["options"] = own
        ctx.params["task_options"] = {**of_task, **{name: values[name] for name in values if name in of_tasks}}
        return super().invoke(ctx)


TYPES: dict[str, tuple[Any, str | None]] = {
    "number": (Numbers(whole=False), None),
    "whole": (Numbers(whole=True), None),
    "file": (Text(), "FILE"),
    "map": (Map(), "X|FILE"),
    "word": (Text(), "WORD"),
}
"""How the command line reads each kind of values, and the name of a value in its help."""
WIDE = 24
"""Letters of words between which one may choose that still stand in the place of the name of a value."""


def folders(task_options: dict[str, Any]) -> list[str]:
    """Return the folders among the options of a task: they hold masks, for example, and no pictures to work on."""
    return [value for value in task_options.values() if isinstance(value, str) and os.path.isdir(value)]


def files(task_options: dict[str, Any]) -> list[str]:
    """Return the files among the options of a task, including those of which a part is named, as FILE:KEY."""
    texts = [value for value in task_options.values() if isinstance(value, str)]
    named = [one for text in texts for one in (text, text.rpartition(":")[0])]
    return [one for one in named if os.path.isfile(one)]


def _options(describing: bool) -> list[click.Option]:
    """Return one option for each name; its help explains it for each task, or method."""
    heading = KNOWN if describing else "Damage"
    asked = _uses(TaskCard, describing=describing)
    methods = _uses(RestorerCard, describing=False) if describing else {}
    options = [_option(name, uses, heading) for name, uses in sorted(asked.items())]
    alone = (
        _option(name, uses, "For some methods alone") for name, uses in sorted(methods.items()) if name not in asked
    )
    return [*options, *alone]


def _uses(kind: type[TaskCard | RestorerCard], *, describing: bool) -> dict[str, list[tuple[str, CommandOption]]]:
    """Return the options that cards of a kind ask for, by name, with the names of the cards."""
    from restoration.registry import registry

    asked: dict[str, list[tuple[str, CommandOption]]] = {}
    for card in registry().cards(kind):
        for option in (option for option in card.asks if option.describes or not describing):
            asked.setdefault(option.name, []).append((card.name, option))
    return asked


def _option(name: str, uses: list[tuple[str, CommandOption]], heading: str) -> click.Option:
    """Return an option; tasks or methods to which it means the same share the words of its help."""
    ways = {option.values if isinstance(option.values, str) else "word" for _, option in uses}
    kind, metavar = TYPES[ways.pop()] if len(ways) == 1 else (Map() if "map" in ways else Mixed(), None)
    words = {option.values for _, option in uses}
    same = "|".join(next(iter(words))) if metavar == "WORD" and len(words) == 1 else ""
    metavar = f"[{same}]" if 0 < len(same) <= WIDE else metavar
    who: dict[str, list[str]] = {}
    for user, option in uses:
        who.setdefault(option.help + _words(option) * (metavar == "WORD" or not metavar), []).append(user)
    means = "; for ".join(f"{_listed(users)}: {meaning}" for meaning, users in who.items())
    return Headed([f"--{name.replace('_', '-')}"], type=kind, metavar=metavar, help=f"For {means}.", heading=heading)


def _listed(names: list[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _words(option: CommandOption) -> str:
    return f" ({', '.join(option.values)})" if isinstance(option.values, tuple) else ""
