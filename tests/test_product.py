"""Any network with any schedule, objective and sampler, of all that is installed, on tiny pictures.

Schedules and objectives meet one another in every way with a network for pictures, and walk there with the samplers in
turn: samplers see a clean estimate and no objective, so that with one objective all of them walk on every schedule. A
network that has latents learns every objective on one schedule, with the schedules in turn. Other networks meet them
through the adapter alone, whose promises the contracts prove, and which asks of a schedule whether it uses the degraded
picture: so each is tried on one that does and on one that does not, with the rest in turn.
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


def turn(kind: type[Card], number: int) -> str:
    """Return one of the cards of a kind, each in turn."""
    known = names(kind)
    return known[number % len(known)]


def fitting(schedule: str) -> list[str]:
    """Return the objectives that are not the equation of another schedule alone."""
    return [name for name in names(ObjectiveCard) if ONE_PATH.get(name, (schedule, ""))[0] == schedule]


@pytest.mark.parametrize("objective", names(ObjectiveCard))
@pytest.mark.parametrize("schedule", names(ScheduleCard))
def test_a_network_learns_any_objective_on_any_schedule_and_walks_there(schedule, objective):
    made = recipe("nafnet-compact", schedule, objective)
    parts = built(made)
    if objective in fitting(schedule):
        assert learns(parts)
        number = names(ScheduleCard).index(schedule) + names(ObjectiveCard).index(objective)
        walk(made, parts, names(SamplerCard) if objective == "clean-matching" else [turn(SamplerCard, number)])
    else:
        with pytest.raises(ValueError, match=ONE_PATH[objective][1]):
            learns(parts)


@pytest.mark.parametrize("objective", names(ObjectiveCard))
def test_a_network_of_latents_learns_any_objective_and_walks_there(objective):
    number = names(ObjectiveCard).index(objective)
    made = recipe("latent-pair", ONE_PATH.get(objective, (turn(ScheduleCard, number),))[0], objective)
    parts = built(made)
    assert learns(parts)
    walk(made, parts, [turn(SamplerCard, number)])


@pytest.mark.parametrize("uses_y", [True, False], ids=["from the degraded picture", "from noise alone"])
@pytest.mark.parametrize("network", ON_PATHS)
def test_any_network_learns_and_walks_on_both_kinds_of_schedule(network, uses_y):
    number = ON_PATHS.index(network)
    known = [card.name for card in registry().cards(ScheduleCard) if card.uses_y is uses_y]
    schedule = known[number % len(known)]
    fit = fitting(schedule)
    made = recipe(network, schedule, fit[number % len(fit)])
    parts = built(made)
    assert learns(parts)
    walk(made, parts, [turn(SamplerCard, number)])
