"""What the plugin brings: one command. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import CommandCard, hookimpl


@hookimpl
def register_commands() -> Iterable[CommandCard]:
    """Bring `restore tune`."""
    yield CommandCard(
        name="tune",
        factory="restoration_tune.command:tune",
        summary="Search for the options of a training that do best.",
    )
