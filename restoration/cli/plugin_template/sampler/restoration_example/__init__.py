"""A sampler for `restoration`: what this plugin brings. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import SamplerCard, hookimpl


@hookimpl
def register_samplers() -> Iterable[SamplerCard]:
    """Bring the sampler."""
    yield SamplerCard(
        name="example",
        factory="restoration_example.sampler:Straight",
        summary="steps along straight lines, without noise",
    )
