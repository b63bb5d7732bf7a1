"""DDPM for `restoration`: cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import ScheduleCard, hookimpl


@hookimpl
def register_schedules() -> Iterable[ScheduleCard]:
    """Bring the schedule of DDPM."""
    yield ScheduleCard(
        name="ddpm",
        factory="restoration_ddpm.schedules:VariancePreserving",
        summary="DDPM, from the clean image to pure noise; linear, scaled-linear, sigmoid or cosine",
        source="Ho et al. 2020, arXiv:2006.11239",
        uses_y=False,
    )
