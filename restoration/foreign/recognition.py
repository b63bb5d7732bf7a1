"""Which network a file is of: the first layout of any plugin that knows it and that fits, or what is nearest to it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import torch

from restoration.engine.adapter import build_network
from restoration.errors import BadOption, BadPlugin, BadWeights, RestorationError, UnknownName, one_line, plain
from restoration.randomness import DrawingFrom
from restoration.registry import registry
from restoration.registry.cards import LayoutCard, NetworkCard, ObjectiveCard, ScheduleCard

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from restoration.layouts import Converted, Layout

log = logging.getLogger("restoration")
COMPILED, PARALLEL = "_orig_mod", "module"
"""What names of tensors have in them where torch.compile was around a part of a network, DataParallel around all."""
SHOWN = 3
"""The names that an error shows of those that differ."""
SMALL = 3
"""Added to the number of names in a comparison, so that a few common ones do not look like a match."""


def layouts() -> Iterator[tuple[LayoutCard, Layout]]:
    """Yield the layouts of all plugins, in their turn; one that cannot be made is a warning."""
    for card in sorted(registry().arrived(LayoutCard), key=lambda card: card.turn):
        try:
            layout: Layout = card.build()
        except RestorationError as error:
            log.warning("%s", error)
            continue
        yield card, layout


def recognise(tensors: Mapping[str, Tensor], path: Path) -> tuple[str, Converted]:
    """Return the name of the layout of a file, and what it is. Raises `BadWeights`, with what is nearest or why not.

    What torch.compile and DataParallel put into the names is left out, and so is what all names begin with, if that
    helps, as where a training kept the network in a module of its own.
    """
    tensors = {_unwrapped(name): value for name, value in tensors.items()}
    try:
        return _recognise(tensors, path)
    except BadWeights:
        first = {name.partition(".")[0] for name in tensors}
        inner = {name.partition(".")[2]: value for name, value in tensors.items()}
        if len(first) == 1 and all(inner):
            with suppress(BadWeights):
                return _recognise(inner, path)
        raise


def _unwrapped(name: str) -> str:
    """Return the name of a tensor without those of torch's own modules that are put around a network."""
    name = name.replace(f"{COMPILED}.", "")
    while name.startswith(f"{PARALLEL}."):
        name = name.removeprefix(f"{PARALLEL}.")
    return name


def _recognise(tensors: Mapping[str, Tensor], path: Path) -> tuple[str, Converted]:
    """Return the name of the layout of a file, and what it is. Raises `BadWeights`, with what is nearest or why not."""
    misfits, refusals = [], []
    for card, layout in layouts():
        try:
            with DrawingFrom(torch.Generator().manual_seed(0)):  # it may build networks, which are drawn
                found = layout.convert(tensors)
        except RestorationError as error:
            refusals.append(str(error))
            continue
        except Exception as error:  # a plugin's code, run on untrusted tensors
            log.debug("layout %s failed: %s", card.name, one_line(error))
            continue
        if found is not None:
            different = _misfit(found)
            if not different:
                return card.name, found
            misfits.append((_distance(found), f"it is like {found.title}, but {different}"))
    if refusals:
        raise BadWeights(f"{path}: {refusals[0]}")
    why = min(misfits)[1] if misfits else _nearest(tensors)
    own = "; weights of this toolbox have a config.json beside them" if path.suffix.lower() == ".safetensors" else ""
    raise BadWeights(f"{path} is of no network that is known here: {why}{own}")


def build(found: Converted) -> nn.Module:
    """Build the network of a file, without its tensors. Raises `RestorationError`."""
    card = registry().card(NetworkCard, found.network.name)
    objective = registry().card(ObjectiveCard, found.objective.name) if found.objective else None
    schedule = registry().card(ScheduleCard, found.schedule.name) if found.schedule else None
    with DrawingFrom(torch.Generator().manual_seed(0)):
        adapted = build_network(
            card,
            found.network.options,
            channels=len(found.channels),
            path=bool(schedule and (objective is None or objective.path)),
            uses_y=schedule.uses_y if schedule else True,
        )
    return adapted.network


def _misfit(found: Converted) -> str:
    """Say what is different about the tensors of a file and those of the network that it is of; "" if nothing is."""
    try:
        wanted = build(found).state_dict()
    except (UnknownName, BadOption, BadPlugin) as error:
        return str(error)
    if names := _differing(wanted, found.tensors):
        return names
    for name, value in wanted.items():
        if value.shape != found.tensors[name].shape:
            shapes = f"{list(found.tensors[name].shape)}, not {list(value.shape)}"
            return f"{name} has the shape {shapes}"
    return ""


def _distance(found: Converted) -> int:
    """Return how many names differ between a file and the network that it is like; the most if there is no network."""
    try:
        return len(build(found).state_dict().keys() ^ found.tensors.keys())
    except RestorationError:
        return len(found.tensors)


def _differing(wanted: Collection[str], there: Collection[str]) -> str:
    """Say which names are missing, or else too many: the first few; "" if they are the same."""
    lacking, more = [name for name in wanted if name not in there], [name for name in there if name not in wanted]
    if not lacking and not more:
        return ""
    words, names = ("lacks", lacking) if lacking else ("has also", more)
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"it {words} {', '.join(plain(name)[:80] for name in names[:SHOWN])}{rest}"


def _nearest(tensors: Mapping[str, Tensor]) -> str:
    """Say which network has the most names in common with a file, and the first names that differ."""
    there = {name.removeprefix("module."): None for name in tensors}
    best, share, wanted = "", 0.0, []
    for _, layout in layouts():
        for title, names in layout.names().items():
            common = sum(name in there for name in names)
            if common / (len(names) + SMALL) > share:
                best, share, wanted = title, common / (len(names) + SMALL), list(names)
    if share < 0.1:
        first = ", ".join(plain(name)[:80] for name in list(there)[:SHOWN])
        lacking = registry().lacking("restoration-spandrel")
        return f"nothing is near to its {first}{lacking and f'; {lacking}'}"
    return f"the nearest is {best}, but {_differing(wanted, there) or 'its shapes are others'}"
