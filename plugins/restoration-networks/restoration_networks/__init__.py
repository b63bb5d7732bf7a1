"""Networks for `restoration`: cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import NetworkCard, hookimpl


@hookimpl
def register_networks() -> Iterable[NetworkCard]:
    """Bring the network we train."""
    yield NetworkCard(
        name="nafnet-compact",
        factory="restoration_networks.compact:CompactNAFNet",
        summary="small conditional NAFNet without global pooling, exact under tiling; what we train",
        source="after Chen et al. 2022, arXiv:2204.04676",
        takes=("y", "t"),
        bytes_per_pixel=1200,
    )
