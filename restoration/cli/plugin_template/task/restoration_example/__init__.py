"""A task for `restoration`: what this plugin brings. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import TaskCard, hookimpl


@hookimpl
def register_tasks() -> Iterable[TaskCard]:
    """Bring the task."""
    yield TaskCard(
        name="example",
        factory="restoration_example.task:DarkCorners",
        summary="make corners bright that a lens left dark",
    )
