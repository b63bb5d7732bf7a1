"""Any network with any schedule, objective and sampler, of all that is installed, on tiny pictures.

Schedules, objectives and samplers meet one another in every way with a network for pictures; one that has latents
learns every objective on every schedule, and walks there with the samplers in turn, which know no network. Other
networks meet them through the adapter alone, whose promises the contracts prove: so each is tried on every schedule,
with the objectives and samplers in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
import torch
from msgspec.structs import replace
from test_contracts import HOW

from restoration import Observation
from restoration.randomness import RowGenerators
from restoration.recipe import Part, Parts, Recipe, build_parts, build_restorer
from restoration.registry import registry
from restoration.registry.cards import Card, NetworkCard, ObjectiveCard, SamplerCard, ScheduleCard
from restoration.testing import generator, picture

ONE_PATH = {"euler-matching": ("mean-reverting", "Euler's step needs a mean-reverting path, not [A-Za-z]+$")}
"""Objectives that are one equation of one schedule, and what they say of any other."""


def names(kind: type[Card]) -> list[str]:
    return [card.name for card in registry().cards(kind)]


ON_PATHS = [
    card.name
    for card in registry().cards(NetworkCard)
    if not card.enlarges and ({"y", "t"} <= set(card.takes) or "in_channels" in card.options())
]
"""Networks for paths: what enlarges has no state of the size of its answer, and some files are of pictures alone."""


def recipe(network: str, schedule: str, objective: str) -> Recipe:
    """Return a recipe of parts by name: the network small, all else as its card has it."""
    how = HOW.get((NetworkCard, network), {}).get("options", {})
    return Recipe(
        method=Part("ir-sde", {"steps": 2}),
        task=Part("derain"),
        network=Part(network, how),
        schedule=Part(schedule),
        objective=Part(objective),
    )


def walks(parts: Parts, schedule: str) -> Iterator[str]:
    """Yield the methods that walk on a path: from a picture and noise, or from the noise that a picture has."""
    of_its_own = not registry().card(ScheduleCard, schedule).uses_y and hasattr(parts.schedule, "time_of")
    yield "denoising-ode" if of_its_own else "ir-sde"
    yield "latent-ir-sde"


def built(made: Recipe) -> Parts:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_parts(made)


def learns(parts: Parts) -> bool:
    """Make a step of a training back, check it, and say whether a gradient has reached the network."""
    x, y = picture(2, 3, 8, 8), picture(2, 3, 8, 8, seed=1)
    loss = parts.objective.loss(parts.network, parts.schedule, x, y, RowGenerators.keyed("loss", 0, 0, rows=range(2)))
    assert loss.shape == (2,) and loss.isfinite().all() and (loss > 0).all()
    loss.mean().backward()
    gradients = [p.grad for p in parts.network.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    return any(gradient.any() for gradient in gradients)


def walk(made: Recipe, parts: Parts, samplers: list[str]) -> None:
    """Restore a picture with each sampler by each method that walks on this path."""
    observed = Observation(y=picture(1, 3, 8, 8, seed=1), sigma=0.1)
    parts.network.eval().requires_grad_(False)
    for sampler, method in product(samplers, walks(parts, made.schedule.name)):
        changed = replace(made, method=Part(method, {"steps": 2}), sampler=Part(sampler))
        walking = Parts(**{**vars(parts), "sampler": registry().card(SamplerCard, sampler).build()})
        with torch.inference_mode():
            *_, answer = build_restorer(changed, walking)(observed, generator())
        assert answer.shape == (1, 3, 8, 8) and answer.isfinite().all(), f"{method} with {sampler}"


@pytest.mark.parametrize("objective", names(ObjectiveCard))
@pytest.mark.parametrize("schedule", names(ScheduleCard))
@pytest.mark.parametrize("network", ["nafnet-compact", "latent-pair"])
def test_a_network_learns_any_objective_on_any_schedule_and_walks_with_any_sampler(network, schedule, objective):
    made = recipe(network, schedule, objective)
    parts = built(made)
    only, says = ONE_PATH.get(objective, (schedule, ""))
    if schedule == only:
        assert learns(parts)
        samplers = names(SamplerCard)
        place = names(ScheduleCard).index(schedule) + names(ObjectiveCard).index(objective)
        walk(made, parts, samplers if network == "nafnet-compact" else [samplers[place % len(samplers)]])
    else:
        with pytest.raises(ValueError, match=says):
            learns(parts)


@pytest.mark.parametrize("schedule", names(ScheduleCard))
@pytest.mark.parametrize("network", ON_PATHS)
def test_any_network_learns_and_walks_on_any_schedule(network, schedule):
    place = ON_PATHS.index(network) + names(ScheduleCard).index(schedule)
    fit = [name for name in names(ObjectiveCard) if ONE_PATH.get(name, (schedule, ""))[0] == schedule]
    made = recipe(network, schedule, fit[place % len(fit)])
    parts = built(made)
    assert learns(parts)
    walk(made, parts, [names(SamplerCard)[place % len(names(SamplerCard))]])
