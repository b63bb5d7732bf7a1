"""A noise schedule for `restoration`: what this plugin brings. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import ScheduleCard, hookimpl


@hookimpl
def register_schedules() -> Iterable[ScheduleCard]:
    """Bring the schedule."""
    yield ScheduleCard(
        name="example",
        factory="restoration_example.schedule:Straight",
        summary="a straight line from clean to degraded, with a little noise",
    )
