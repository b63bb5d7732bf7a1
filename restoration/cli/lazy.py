"""A command known by its card alone, so that help and completion import none."""

from __future__ import annotations

from typing import Any

import click

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
        """Import the real command and let it take over."""
        return command_of(self.card).make_context(info_name, args, parent, **extra)


def command_of(card: CommandCard) -> click.Command:
    """Return the command that a card names. Raises `BadPlugin` if it is something else."""
    command = card.load()
    if not isinstance(command, click.Command):
        raise BadPlugin(f"command {card.name!r}: {card.factory} is not a click.Command")
    return command
