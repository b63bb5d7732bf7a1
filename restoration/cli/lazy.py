"""A command known by its card alone, so that help and completion import none."""

from __future__ import annotations

import os
from typing import Any

import click

from restoration.cli.defaults import PREFIX, defaults_of, strange_variables
from restoration.console import say
from restoration.errors import BadPlugin
from restoration.registry.cards import CommandCard


class Lazy(click.Command):
    """A command that is imported when it is called."""

    def __init__(self, card: CommandCard) -> None:
        super().__init__(card.name, short_help=card.summary)
        self.card = card

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Import the real command and let it take over, with the defaults of the user."""
        command, name = command_of(self.card), info_name or self.card.name
        alone = click.Context(command, info_name=name, parent=parent)
        configured = ((parent and parent.default_map) or {}).get(name, {})
        context = command.make_context(info_name, args, parent, default_map=defaults_of(alone, configured), **extra)
        if any(variable.startswith(f"{PREFIX}_") for variable in os.environ) and not context.params.get("quiet"):
            group = parent.command if parent else None
            for line in strange_variables(alone, group.commands if isinstance(group, click.Group) else ()):
                say(f"warning: {line}")
        return context


class NamedPath(click.Path):
    """A path, but for an empty one: that would be the folder that one is in, which nobody meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if value == "":
            self.fail("it is empty, as by a variable that is not set", param, ctx)
        return super().convert(value, param, ctx)


def command_of(card: CommandCard) -> click.Command:
    """Return the command that a card names; it takes no empty paths. Raises `BadPlugin` if it is something else."""
    command = card.load()
    if not isinstance(command, click.Command):
        raise BadPlugin(f"command {card.name!r}: {card.factory} is not a click.Command")
    _name_paths(command)
    return command


def _name_paths(command: click.Command) -> None:
    """Let a command, and the commands of a group, refuse paths that are empty."""
    for param in command.params:
        if type(param.type) is click.Path:
            named = NamedPath()
            vars(named).update(vars(param.type))
            param.type = named
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        _name_paths(one)
