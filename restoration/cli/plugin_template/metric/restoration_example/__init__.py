"""A metric for `restoration`: what this plugin brings. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import MetricCard, hookimpl


@hookimpl
def register_metrics() -> Iterable[MetricCard]:
    """Bring the metric."""
    yield MetricCard(
        name="example",
        factory="restoration_example.metric:mean_absolute_error",
        title="MAE",
        summary="mean absolute error, RGB, of values in [0, 1]",
        less_is_better=True,
    )
