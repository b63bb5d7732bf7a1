"""A command for `restoration`: what this plugin brings. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import CommandCard, hookimpl


@hookimpl
def register_commands() -> Iterable[CommandCard]:
    """Bring the command."""
    yield CommandCard(
        name="example",
        factory="restoration_example.command:brightness",
        summary="Print the size and the mean brightness of pictures.",
    )
