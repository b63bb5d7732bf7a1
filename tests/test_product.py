"""Any network with any schedule, objective and sampler: the whole product of what is installed, on tiny pictures."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
import torch
from msgspec.structs import replace
from test_contracts import HOW

from restoration import Observation
from restoration.recipe import Part, Parts, Recipe, build_parts, build_restorer
from restoration.registry import registry
from restoration.registry.cards import Card, NetworkCard, ObjectiveCard, SamplerCard, ScheduleCard
from restoration.testing import generator, picture

ONE_PATH = {"euler-matching": ("mean-reverting", "Euler's step needs a mean-reverting path, not [A-Za-z]+$")}
"""Objectives that are one equation of one schedule, and what they say of any other."""


def names(kind: type[Card]) -> list[str]:
    return [card.name for card in registry().cards(kind)]


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


@pytest.mark.parametrize("objective", names(ObjectiveCard))
@pytest.mark.parametrize("schedule", names(ScheduleCard))
@pytest.mark.parametrize("network", names(NetworkCard))
def test_any_network_learns_any_objective_on_any_schedule_and_walks_with_any_sampler(network, schedule, objective):
    made = recipe(network, schedule, objective)
    parts = built(made)
    x, y = picture(2, 3, 8, 8), picture(2, 3, 8, 8, seed=1)
    only, says = ONE_PATH.get(objective, (schedule, ""))
    if schedule != only:
        with pytest.raises(ValueError, match=says):
            parts.objective.loss(parts.network, parts.schedule, x, y, generator())
        return
    loss = parts.objective.loss(parts.network, parts.schedule, x, y, generator())
    assert loss.shape == (2,) and loss.isfinite().all() and (loss > 0).all()
    loss.mean().backward()
    gradients = [p.grad for p in parts.network.parameters() if p.grad is not None]
    assert any(gradient.any() for gradient in gradients) and all(gradient.isfinite().all() for gradient in gradients)
    parts.network.eval().requires_grad_(False)
    for sampler, method in product(names(SamplerCard), walks(parts, schedule)):
        changed = replace(made, method=Part(method, {"steps": 2}), sampler=Part(sampler))
        walk = Parts(**{**vars(parts), "sampler": registry().card(SamplerCard, sampler).build()})
        observed = Observation(y=y[:1], sigma=0.1)
        with torch.inference_mode():
            *_, answer = build_restorer(changed, walk)(observed, generator())
        assert answer.shape == (1, 3, 8, 8) and answer.isfinite().all(), f"{method} with {sampler}"
