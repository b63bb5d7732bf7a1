"""Test pictures looked for inside a training set, for `restoration`: a command. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import CommandCard, hookimpl


@hookimpl
def register_commands() -> Iterable[CommandCard]:
    """Bring `restore audit`."""
    yield CommandCard(
        name="audit",
        factory="restoration_audit.command:audit",
        summary="Look for test pictures inside a training set.",
    )
