"""Tasks for `restoration`: the ways pictures are damaged. Cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import TaskCard, hookimpl


@hookimpl
def register_tasks() -> Iterable[TaskCard]:
    """Bring rain and noise."""
    yield TaskCard(
        name="derain",
        factory="restoration_tasks.rain:Rain",
        summary="take away rain: streaks of several directions, lengths and widths, and mist",
        source="Yang et al. 2017, equation 3",
    )
    yield TaskCard(
        name="denoise",
        factory="restoration_tasks.noise:GaussianNoise",
        summary="take away Gaussian noise",
        linear=True,
    )
