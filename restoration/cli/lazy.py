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


def command_of(card: CommandCard) -> click.Command:
    """Return the command that a card names. Raises `BadPlugin` if it is something else."""
    command = card.load()
    if not isinstance(command, click.Command):
        raise BadPlugin(f"command {card.name!r}: {card.factory} is not a click.Command")
    return command
