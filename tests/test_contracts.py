"""Every registered card of every kind keeps the contract of its interface."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from restoration import testing
from restoration.cards import (
    Card,
    NetworkCard,
    ObjectiveCard,
    RestorerCard,
    SamplerCard,
    ScheduleCard,
    TaskCard,
    WeightsCard,
)
from restoration.registry import registry

CONTRACTS: dict[type[Card], type[testing.Contract]] = {
    NetworkCard: testing.NetworkContract,
    ScheduleCard: testing.ScheduleContract,
    ObjectiveCard: testing.ObjectiveContract,
    SamplerCard: testing.SamplerContract,
    RestorerCard: testing.RestorerContract,
    TaskCard: testing.TaskContract,
    WeightsCard: testing.WeightsContract,
}
SMALL = {"width": 8, "encoder": [1, 1], "middle": 1, "decoder": [1, 1]}
HOW: dict[tuple[type[Card], str], dict[str, Any]] = {
    (NetworkCard, "nafnet-compact"): {"options": SMALL},
    (NetworkCard, "conditional-unet"): {"options": {"width": 8, "depth": 2}},
    (NetworkCard, "unconditional-unet"): {"options": {"width": 8, "depth": 2}},
    (NetworkCard, "conditional-nafnet"): {"options": SMALL},
    (NetworkCard, "nafnet"): {"options": SMALL},
    (NetworkCard, "unet"): {"options": {"width": 12, "depth": 2}},
    (ObjectiveCard, "euler-matching"): {"schedule": "mean-reverting", "options": {"corrected": False}},
    (RestorerCard, "ir-sde"): {"network": SMALL},
    (RestorerCard, "denoising-sde"): {"network": SMALL},
    (RestorerCard, "regression"): {"network": SMALL},
}
"""What a contract is told where the defaults of a card are large, or where the thing needs company."""

for kind, contract in CONTRACTS.items():
    for card in registry().cards(kind):
        told = {"name": card.name, "__module__": __name__, **HOW.get((kind, card.name), {})}
        title = f"Test {kind.kind} {card.name}"
        globals()[title] = type(title, (contract,), told)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small pictures on many threads are mostly waiting, twenty times longer where other programs run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_no_plugin_is_broken() -> None:
    assert {plugin.name: plugin.error for plugin in registry().plugins if plugin.error} == {}


def test_every_kind_of_card_has_a_contract() -> None:
    assert set(CONTRACTS) == set(Card.__subclasses__())
