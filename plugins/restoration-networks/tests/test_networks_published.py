"""The published networks, against what the published code answers with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from restoration_ir_sde.objectives import NoiseMatching
from restoration_ir_sde.schedules import MeanReverting
from restoration_networks.conditional_nafnet import ConditionalNAFNet
from restoration_networks.conditional_unet import ConditionalUNet, UnconditionalUNet
from restoration_networks.nafnet import NAFNet
from safetensors.torch import load_file
from torch import Tensor, nn

from restoration.sampling import EulerODE, EulerSDE, posterior

DATA = Path(__file__).parent / "data"


def tiny(name: str, time_scale: float = 1.0) -> nn.Module:
    if name == "unet_tiny":
        return ConditionalUNet(width=8, depth=2, time_scale=time_scale)
    if name == "unet_denoising_tiny":
        return UnconditionalUNet(width=8, depth=2, time_scale=time_scale)
    if name == "nafnet_tiny":
        return ConditionalNAFNet(width=8, encoder=(1, 2), decoder=(1, 1), time_scale=time_scale)
    shape = {"channels": 4, "width": 8, "encoder": (1, 1), "decoder": (1, 1)}
    return ConditionalNAFNet(**shape, intro_skip=True, time_scale=time_scale)


NETWORKS = ("unet_tiny", "unet_denoising_tiny", "nafnet_tiny", "nafnet_latent_tiny")
CASES = [
    (name, case)
    for name in NETWORKS
    for case in (("int", "odd") if "latent" in name else ("int", "float", "batch", "odd"))
]


def recorded(name: str) -> dict[str, Tensor]:
    return load_file(DATA / f"{name}.safetensors")


def published(name: str, time_scale: float = 1.0) -> nn.Module:
    weights = {key[2:]: value for key, value in recorded(name).items() if key.startswith("w.")}
    network = tiny(name, time_scale)
    network.load_state_dict(weights)
    return network.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_have_the_published_names_and_shapes(name: str) -> None:
    theirs = {key[2:]: value.shape for key, value in recorded(name).items() if key.startswith("w.")}
    assert {key: value.shape for key, value in tiny(name).state_dict().items()} == theirs


@pytest.mark.parametrize(("name", "case"), CASES)
@torch.inference_mode()
def test_answers_are_those_of_the_published_code(name: str, case: str) -> None:
    vectors = recorded(name)
    inputs = [vectors[key] for key in sorted(vectors) if key.startswith(f"in.{case}.")]
    torch.testing.assert_close(published(name)(*inputs), vectors[f"out.{case}"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NETWORKS)
@torch.inference_mode()
def test_a_time_between_0_and_1_is_scaled_by_that_of_the_training(name: str) -> None:
    vectors = recorded(name)
    *pictures, time = [vectors[key] for key in sorted(vectors) if key.startswith("in.int.")]
    answer = published(name, time_scale=100.0)(*pictures, time / 100)
    torch.testing.assert_close(answer, vectors["out.int"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("sampler", ["reverse_sde", "reverse_ode", "reverse_posterior"])
@torch.inference_mode()
def test_ten_steps_end_where_the_published_code_ends(sampler: str) -> None:
    vectors = recorded("unet_tiny_T10")
    network, schedule, objective = published("unet_tiny", time_scale=10.0), MeanReverting(T=10), NoiseMatching()
    y, x_t = vectors["mu"], vectors["xT"]
    walk = {"reverse_sde": EulerSDE(), "reverse_ode": EulerODE(), "reverse_posterior": posterior()}[sampler]
    torch.manual_seed(7)
    *_, (state, clean) = walk(
        lambda x, t: objective.clean(network, schedule, x, y, t),  # type: ignore[arg-type]
        schedule,
        x_t,
        y,
        schedule.steps(10),
        lambda: torch.randn(y.shape),
    )
    end = clean if sampler == "reverse_posterior" else state
    torch.testing.assert_close(end, vectors[sampler], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("build", "millions"),
    [
        (ConditionalUNet, 137.148),
        (lambda: ConditionalUNet(width=32, depth=5), 135.347),
        (lambda: ConditionalUNet(width=32), 34.799),
        (UnconditionalUNet, 137.137),
        (ConditionalNAFNet, 76.608),
        (lambda: ConditionalNAFNet(channels=8, intro_skip=True), 76.617),
        (NAFNet, 17.112),
        (lambda: NAFNet(width=64), 67.889),
        (lambda: NAFNet(encoder=(2, 2, 4, 8), middle=12, decoder=(2, 2, 2, 2)), 29.160),
    ],
)
def test_networks_of_full_size_have_as_many_parameters_as_the_published_ones(
    build: Callable[[], nn.Module], millions: float
) -> None:
    with torch.device("meta"):
        network = build()
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 3) == millions
