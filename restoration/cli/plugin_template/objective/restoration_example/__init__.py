"""A training objective for `restoration`: what this plugin brings. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import ObjectiveCard, hookimpl


@hookimpl
def register_objectives() -> Iterable[ObjectiveCard]:
    """Bring the objective."""
    yield ObjectiveCard(
        name="example",
        factory="restoration_example.objective:ResidualMatching",
        summary="the network predicts what was added to the clean picture",
    )
