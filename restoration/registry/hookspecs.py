"""Everything a plugin may say, on one screen.

A plugin declares one entry point in the group `restoration` that names a light module; functions in it, marked with
`hookimpl`, answer any of these. The ones that register yield or return cards.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

from restoration.registry.cards import (
    CommandCard,
    LayoutCard,
    MetricCard,
    NetworkCard,
    ObjectiveCard,
    RestorerCard,
    SamplerCard,
    ScheduleCard,
    TaskCard,
    WeightsCard,
)

if TYPE_CHECKING:
    from restoration.interfaces import Result
    from restoration.picture import Picture

hookspec = pluggy.HookspecMarker("restoration")
hookimpl = pluggy.HookimplMarker("restoration")


@hookspec
def register_networks() -> Iterable[NetworkCard]:
    """Bring networks: images to images."""
    return ()


@hookspec
def register_schedules() -> Iterable[ScheduleCard]:
    """Bring noise schedules: the three curves of a path."""
    return ()


@hookspec
def register_objectives() -> Iterable[ObjectiveCard]:
    """Bring objectives: what a network is trained to predict."""
    return ()


@hookspec
def register_samplers() -> Iterable[SamplerCard]:
    """Bring samplers: from noise to a picture, along any schedule."""
    return ()


@hookspec
def register_restorers() -> Iterable[RestorerCard]:
    """Bring methods: from what was observed to estimates of the clean image."""
    return ()


@hookspec
def register_tasks() -> Iterable[TaskCard]:
    """Bring tasks: ways that pictures are damaged."""
    return ()


@hookspec
def register_weights() -> Iterable[WeightsCard]:
    """Bring trained weights, as folders inside the plugin."""
    return ()


@hookspec
def register_layouts() -> Iterable[LayoutCard]:
    """Bring layouts of files: what recognises networks in files of tensors that others have written."""
    return ()


@hookspec
def register_metrics() -> Iterable[MetricCard]:
    """Bring metrics: how close a picture is to the clean one, or how far one set of pictures is from another."""
    return ()


@hookspec
def register_commands() -> Iterable[CommandCard]:
    """Bring commands of `restore`."""
    return ()


@hookspec(firstresult=True)
def read_image(data: bytes, name: str) -> Picture | None:
    """Decode a file that the toolbox cannot read itself; None leaves it to the next plugin."""


@hookspec(firstresult=True)
def write_image(picture: Picture, suffix: str) -> bytes | None:
    """Encode a picture for a suffix such as ".exr"; None leaves it to the next plugin, and at last to the toolbox."""


@hookspec
def restored(result: Result) -> Any:
    """Look at a result after it was computed. What this returns is ignored."""
