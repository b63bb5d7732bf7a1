"""Every registered card of every kind keeps the contract of its interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from restoration import testing
from restoration.interfaces import Observation
from restoration.picture import Picture
from restoration.registry import registry
from restoration.registry.cards import (
    Card,
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

CONTRACTS: dict[type[Card], type[testing.Contract]] = {
    NetworkCard: testing.NetworkContract,
    ScheduleCard: testing.ScheduleContract,
    ObjectiveCard: testing.ObjectiveContract,
    SamplerCard: testing.SamplerContract,
    RestorerCard: testing.RestorerContract,
    TaskCard: testing.TaskContract,
    WeightsCard: testing.WeightsContract,
    LayoutCard: testing.LayoutContract,
    MetricCard: testing.MetricContract,
    CommandCard: testing.CommandContract,
}
FETCHED = ("lpips", "fid")
"""Metrics that need weights which nobody may fetch unasked; their own tests make some up."""
TWINS = ("fd2", "features2")
"""Metrics that differ from others only by a larger network: theirs are slow tests."""
SMALL = {"width": 8, "encoder": [1, 1], "middle": 1, "decoder": [1, 1]}
SMALL_LATENTS = {"latent_channels": 4, "autoencoder_width": 4, "multipliers": [1, 2]}
SMALL_SKIPS: dict[str, Any] = {"down": [6, 6, 6], "up": [6, 6, 6], "skip": [2, 0, 2]}
SMALL_UNET = {"width": 8, "multipliers": [1, 2]}


def compact(scale: int) -> dict[str, Any]:
    """Options of a small network of spandrel, a Real-ESRGAN Compact: shapes of three convolutions and two PReLUs."""
    shapes = {"body.0.weight": [4, 3, 3, 3], "body.0.bias": [4], "body.1.weight": [4]}
    shapes |= {"body.2.weight": [4, 4, 3, 3], "body.2.bias": [4], "body.3.weight": [4]}
    shapes |= {"body.4.weight": [3 * scale**2, 4, 3, 3], "body.4.bias": [3 * scale**2]}
    return {"architecture": "Compact", "shapes": shapes}


def told_of_noise() -> dict[str, Any]:
    """Options of a small FDnCNN of spandrel: eight convolutions, and a map of the noise in its input."""
    widths = [4, *[4] * 7, 3]
    shapes: dict[str, list[int]] = {}
    for place in range(8):
        shapes |= {f"model.{2 * place}.weight": [widths[place + 1], widths[place], 3, 3]}
        shapes |= {f"model.{2 * place}.bias": [widths[place + 1]]}
    return {"architecture": "DnCNN", "shapes": shapes}


HOW: dict[tuple[type[Card], str], dict[str, Any]] = {
    (NetworkCard, "nafnet-compact"): {"options": SMALL},
    (NetworkCard, "conditional-unet"): {"options": {"width": 8, "depth": 2}},
    (NetworkCard, "unconditional-unet"): {"options": {"width": 8, "depth": 2}},
    (NetworkCard, "conditional-nafnet"): {"options": SMALL},
    (NetworkCard, "latent-pair"): {"options": SMALL | SMALL_LATENTS},
    (NetworkCard, "latent-unet"): {"options": {"width": 4, "multipliers": [1, 2], "latent_channels": 4}},
    (NetworkCard, "nafnet"): {"options": SMALL},
    (NetworkCard, "unet"): {"options": {"width": 12, "depth": 2}},
    (NetworkCard, "unet-small"): {"options": SMALL_UNET},
    (NetworkCard, "unet-lucidrains"): {"options": {"width": 8, "multipliers": [1, 2]}},
    (NetworkCard, "unet-adm"): {"options": {"width": 32, "multipliers": [1, 2], "blocks": 1, "attended": [1]}},
    (NetworkCard, "unet-ddim"): {"options": {"width": 32, "multipliers": [1, 2], "blocks": 1, "attended": [1]}},
    (NetworkCard, "n2n-unet"): {"options": {"width": 12, "depth": 2}},
    (NetworkCard, "n2n-unet-shared"): {"options": {"width": 12, "depth": 3}},
    (NetworkCard, "skip"): {"options": SMALL_SKIPS},
    (MetricCard, "niqe"): {"compares": False},
    (NetworkCard, "dip-unet"): {"options": {"widths": [4, 8, 8]}},
    (NetworkCard, "resnet18"): {"options": {"width": 4}},
    (NetworkCard, "unet-dense"): {"options": {"widths": [4, 6, 8], "encoder": [1, 1], "middle": 1, "decoder": [1, 1]}},
    (NetworkCard, "sr-dense"): {"options": {"width": 6, "blocks": 2}},
    (NetworkCard, "prenet"): {"options": {"width": 4, "passes": 2}},
    (NetworkCard, "ffdnet"): {"options": {"width": 8, "depth": 3}},
    (NetworkCard, "edsr"): {"options": {"width": 8, "blocks": 2}},
    (NetworkCard, "carn"): {"options": {"width": 8}},
    (NetworkCard, "rfdn"): {"options": {"blocks": 2}},
    (NetworkCard, "safmn-ntire"): {"options": {"width": 8, "blocks": 2}},
    (NetworkCard, "deblurgan"): {"options": {"width": 4, "blocks": 2}},
    (NetworkCard, "deepdeblur"): {"options": {"width": 4, "blocks": 2, "kernel": 3, "scales": 2}},
    (NetworkCard, "dbgan"): {"options": {"width": 4, "blocks": 2}},
    (NetworkCard, "deblurgan-v2"): {"options": {"width": 4}},
    (NetworkCard, "spandrel"): {"options": compact(1)},
    (NetworkCard, "spandrel-sr"): {"options": compact(8)},
    (NetworkCard, "spandrel-denoising"): {"options": told_of_noise()},
    (NetworkCard, "timm"): {"options": {"encoder": "mobilenetv3_small_050", "width": 4}},
    (ObjectiveCard, "flow-matching"): {"schedule": "rectified-flow"},
    (ObjectiveCard, "euler-matching"): {"schedule": "mean-reverting", "options": {"corrected": False}},
    (RestorerCard, "dip"): {"network": SMALL_SKIPS, "options": {"steps": 3}},
    (RestorerCard, "dip-staged"): {"network": SMALL_SKIPS, "options": {"steps": 12}},
    (RestorerCard, "ddpm"): {"network": SMALL_UNET, "options": {"steps": 3}},
    (RestorerCard, "ddpm-dip"): {"network": SMALL_UNET, "options": {"steps": 3, "dip_steps": 2}},
    (RestorerCard, "ir-sde"): {"network": SMALL},
    (RestorerCard, "latent-ir-sde"): {"network": SMALL | SMALL_LATENTS},
    (RestorerCard, "denoising-sde"): {"network": SMALL},
    (RestorerCard, "regression"): {"network": SMALL},
    **{
        (RestorerCard, name): {"network": SMALL, "options": {"steps": 3}, "task": "denoise"}
        for name in ("ddrm", "diffpir", "dps")
    },
    (RestorerCard, "zs-n2n"): {"network": {"width": 4}, "options": {"steps": 3}},
}
"""What a contract is told where the defaults of a card are large, or where the thing needs company."""

GAIN = "test_it_brings_pictures_nearer_to_the_clean_ones"
"""What `test_shipped_weights` proves of the weights for photographs, on a photograph; here only of one of them."""


def proven(card: Card) -> dict[str, Any]:
    """Return which promises of a card other tests prove, so that none is collected here."""
    elsewhere = isinstance(card, WeightsCard) and card.default and card.name != "regression/denoise"
    return {GAIN: None} if elsewhere else {}


for kind, contract in CONTRACTS.items():
    for card in (card for card in registry().cards(kind) if kind is not MetricCard or card.name not in FETCHED):
        told = {"name": card.name, "__module__": __name__, **HOW.get((kind, card.name), {}), **proven(card)}
        title = f"Test {kind.kind} {card.name}"
        made = type(title, (contract,), told)
        globals()[title] = pytest.mark.slow(made) if card.name in TWINS else made


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small pictures on many threads are mostly waiting, twenty times longer where other programs run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_no_plugin_is_broken() -> None:
    assert {plugin.name: plugin.error for plugin in registry().plugins if plugin.error} == {}


class Halved:
    """A task that keeps the promises: halves pictures and adds a little noise."""

    scale, back, drift = 0.5, 0.5, 0.0

    def __call__(self, x: Tensor, rng: Generator) -> Tensor:
        return self.observe(x, rng).y + self.drift

    def observe(self, x: Tensor, rng: Generator) -> Observation:
        return Observation(y=x / 2 + 0.01 * torch.randn(x.shape, generator=rng), operator=Times(self), sigma=0.01)

    def describe(self, picture: Picture) -> Observation:
        return Observation(y=picture.pixels, operator=Times(self))


class Times:
    def __init__(self, task: Halved) -> None:
        self.task = task

    def __call__(self, x: Tensor) -> Tensor:
        return x * self.task.scale

    def adjoint(self, y: Tensor) -> Tensor:
        return y * self.task.back


WRONG = {
    "nothing": ({}, True, None),
    "its card": ({}, False, "linear on its card"),
    "the adjoint": ({"back": 0.5001}, True, "<Ax, v>"),
    "the operator": ({"scale": 0.3, "back": 0.3}, True, "operator.x. is off"),
    "what it observes": ({"drift": 0.01}, True, "observe damages otherwise"),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_contract_of_tasks_finds_what_is_wrong(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attributes, linear, message = WRONG[what]
    wrong = type("Wrong", (Halved,), attributes)
    card = TaskCard(name="wrong", summary="", factory="", linear=linear)
    contract = testing.TaskContract()
    monkeypatch.setattr(contract, "card", lambda kind: card)
    monkeypatch.setattr(contract, "made", lambda kind: wrong())
    contract.test_the_seed_decides_the_damage()
    with pytest.raises(AssertionError, match=message) if message else nullcontext():
        contract.test_every_size_is_kept_and_what_is_observed_is_true()


def test_every_kind_of_card_has_a_contract() -> None:
    assert set(CONTRACTS) == set(Card.__subclasses__())
