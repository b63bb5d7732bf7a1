"""A median filter for `restoration`: what this plugin brings. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import RestorerCard, hookimpl


@hookimpl
def register_restorers() -> Iterable[RestorerCard]:
    """Bring the method."""
    yield RestorerCard(
        name="example",
        factory="restoration_example.restorer:Median",
        summary="the median of every pixel's surroundings, for isolated wrong pixels",
        tasks=("denoise",),
        needs_weights=False,
    )
