"""A network for `restoration`: what this plugin brings. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import NetworkCard, hookimpl


@hookimpl
def register_networks() -> Iterable[NetworkCard]:
    """Bring the network."""
    yield NetworkCard(
        name="example",
        factory="restoration_example.network:Convolutions",
        summary="a few convolutions, for noise and other small faults",
        reach=4,
        bytes_per_pixel=600,
    )
