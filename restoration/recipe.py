"""Recipes and the cards of plugins: the defaults of a method, other options and parts, and the objects to build.

Building the recipe of untrusted weights runs what the user has installed and nothing else.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass
from inspect import Parameter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from restoration.config import TRAINED, Part, Recipe
from restoration.errors import BadOption, BadPlugin, BadWeights, UnknownName, did_you_mean, plain, shortened
from restoration.registry import C, registry
from restoration.registry.cards import (
    Card,
    NetworkCard,
    ObjectiveCard,
    RestorerCard,
    SamplerCard,
    ScheduleCard,
    TaskCard,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from restoration.engine.adapter import Adapted, NetworkMaker
    from restoration.interfaces import NoiseSchedule, Objective, Restorer, Sampler, Task

__all__ = [
    "PARTS",
    "Part",
    "Parts",
    "Recipe",
    "build_parts",
    "build_restorer",
    "build_task",
    "default_recipe",
    "required",
    "split_task_options",
    "with_options",
]

REQUIRED = Parameter.empty
"""The default of a parameter that has none."""

PARTS: dict[str, type[Card]] = {
    "method": RestorerCard,
    "task": TaskCard,
    "network": NetworkCard,
    "schedule": ScheduleCard,
    "objective": ObjectiveCard,
    "sampler": SamplerCard,
}
"""The fields of a recipe that name something with options, and the kind of card that each name stands for."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a recipe, built; None where it names none."""

    network: Adapted | None = None
    make_network: NetworkMaker | None = None
    schedule: NoiseSchedule | None = None
    objective: Objective | None = None
    sampler: Sampler | None = None


def default_recipe(method: str, task: str) -> Recipe:
    """Return the recipe that a training of a method on a task starts from: the defaults on the method's card."""
    from restoration.version import __version__

    card = registry().card(RestorerCard, method)
    size = registry().card(TaskCard, task).working_size
    try:
        parts = msgspec.convert(dict(card.defaults), dict[str, Part])
        options = parts.pop("method", Part(method)).options
        own = {"method": Part(method, options), "task": Part(task), "working_size": size}
        own["training"] = dict(card.training)
        return Recipe(**own, restoration=__version__, **parts)  # type: ignore[arg-type]
    except (msgspec.ValidationError, TypeError) as error:
        raise BadPlugin(f"the defaults of method {method!r} are not parts of a recipe: {error}") from error


def with_options(
    recipe: Recipe,
    options: Mapping[str, Any],
    *,
    parts: Mapping[str, str | None] | None = None,
    owner: str | None = None,
) -> Recipe:
    """Return a recipe with other options: `NAME` belongs to its method, `PART.NAME` to one of its `PARTS`.

    `parts` replaces parts by others of these names, which begin with their own defaults; None keeps a part. If the
    recipe comes with weights, `owner` is their name. Raises `BadOption` for a part that the method does not have, or
    that belongs to the weights.
    """
    others = {part: name for part, name in (parts or {}).items() if name is not None}
    given = _by_part(options)
    _check_method(recipe.method.name, given.get("method", {}))
    if owner and any(part in TRAINED for part in (*others, *given)):
        raise BadOption(
            f"the network, schedule and objective of {owner} are those of its weights; others must be trained"
        )
    if others:
        takes = registry().card(RestorerCard, recipe.method.name).options()
        for part, factories in (("network", ("network", "make_network")), ("sampler", ("sampler",))):
            if part in others and not any(name in takes for name in factories):
                raise BadOption(f"method {recipe.method.name!r} has no {part}")
    for part, name in others.items():
        registry().card(PARTS[part], name)  # what the recipe asks for has nothing to do with it
    fields = {part: Part(name) for part, name in others.items()}
    for part, values in given.items():
        old: Part | None = fields.get(part, getattr(recipe, part))
        if old is None:
            raise BadOption(f"method {recipe.method.name!r} has no {part}")
        try:
            fields[part] = Part(old.name, {**old.options, **values})
        except ValueError as error:
            raise BadOption(str(error)) from error
    return replace(recipe, **fields)


def _check_method(name: str, options: Mapping[str, Any]) -> None:
    """Raise `BadOption` for an option that a method does not have but others do, with their names."""
    own = registry().card(RestorerCard, name).options()
    for key in options.keys() - own.keys():
        found = []
        for card in registry().cards(RestorerCard):
            with suppress(BadPlugin):
                found += [card.name] if key in card.options() else []
        if found:
            raise BadOption(f"method {name!r} has no option {key!r}; it belongs to {', '.join(found)}")


def split_task_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return options without those of the task, and those of the task, `task.NAME`, by their `NAME`."""
    own = {key: value for key, value in options.items() if not key.startswith("task.")}
    return own, {key.removeprefix("task."): value for key, value in options.items() if key not in own}


def _by_part(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sort options, `NAME` or `PART.NAME`, by the part that they belong to."""
    sorted_options: dict[str, dict[str, Any]] = {}
    for key, value in options.items():
        part, _, name = key.rpartition(".")
        part = part or "method"
        if part not in PARTS:
            raise BadOption(f"option {key!r}: a recipe has no part {part!r}{did_you_mean(part, PARTS)}")
        sorted_options.setdefault(part, {})[name] = value
    return sorted_options


def required(recipe: Recipe) -> list[str]:
    """Return what a recipe needs: the distributions, with versions, of the plugins that bring its parts."""
    parts: dict[type[Card], Part | None] = {kind: getattr(recipe, field) for field, kind in PARTS.items()}
    named = {(kind, part.name.partition(":")[0]) for kind, part in parts.items() if part is not None}
    if recipe.realism is not None:
        named.add((RestorerCard, registry().card(RestorerCard, recipe.method.name).mean))
    return sorted(
        f"{plugin.distribution}>={plugin.version}"
        for plugin in registry().plugins
        if plugin.version and any((type(card), card.name) in named for card in plugin.cards)
    )


def build_parts(recipe: Recipe) -> Parts:
    """Build the network, schedule, objective and sampler of a recipe. Raises `UnknownName` or `BadOption`."""
    schedule_card = _find(ScheduleCard, recipe.schedule, recipe) if recipe.schedule else None
    objective_card = _find(ObjectiveCard, recipe.objective, recipe) if recipe.objective else None
    network_card = _find(NetworkCard, recipe.network, recipe) if recipe.network else None
    sampler_card = _find(SamplerCard, recipe.sampler, recipe) if recipe.sampler else None
    network = make_network = None
    if network_card and recipe.network and "make_network" in _find(RestorerCard, recipe.method, recipe).options():
        from restoration.engine.adapter import NetworkMaker

        make_network = NetworkMaker(network_card, recipe.network.options, len(recipe.channels))
    elif network_card and recipe.network:
        from restoration.engine.adapter import build_network, check_scales

        network = build_network(
            network_card,
            recipe.network.options,
            channels=len(recipe.channels),
            path=objective_card.path if objective_card else False,
            uses_y=schedule_card.uses_y if schedule_card else True,
        )
        if network.enlarges:
            check_scales(network_card, build_task(recipe), network.enlarges)
    return Parts(
        network=network,
        make_network=make_network,
        schedule=_build(schedule_card, recipe.schedule),
        objective=_build(objective_card, recipe.objective),
        sampler=_build(sampler_card, recipe.sampler),
    )


def build_restorer(recipe: Recipe, parts: Parts) -> Restorer:
    """Build the method of a recipe. Its factory is given the parts, and the task's name, that it has parameters for."""
    card = _find(RestorerCard, recipe.method, recipe)
    takes = card.options()
    offered = {**vars(parts), "task": recipe.task.name}
    given = {name: part for name, part in offered.items() if name in takes and part is not None}
    missing = [name for name in offered if name in takes.keys() - given and takes[name].default is REQUIRED]
    if missing:
        raise BadWeights(f"the recipe of method {card.name!r} names no {' and no '.join(missing)}")
    restorer: Restorer = card.build(recipe.method.options, given)
    return restorer


def build_task(recipe: Recipe) -> Task:
    """Build the task of a recipe, which degrades clean pictures."""
    return _find(TaskCard, recipe.task, recipe).build(recipe.task.options)  # type: ignore[no-any-return]


def _find(kind: type[C], part: Part, recipe: Recipe) -> C:
    """Return the card of a part. Raises `UnknownName`, with what the recipe asks to install."""
    try:
        return registry().card(kind, part.name)
    except UnknownName as error:
        if recipe.requires:
            command = shlex.join(["pip", "install", *recipe.requires])
            error.args = (shortened(plain(f"{error}; the recipe asks for: {command}")),)
        raise


def _build(card: Card | None, part: Part | None) -> Any:
    """Build a part with its options, None where the recipe names none."""
    return card.build(part.options) if card and part else None
