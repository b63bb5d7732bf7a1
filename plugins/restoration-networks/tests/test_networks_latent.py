"""The latent U-Net of Refusion against what the published code answers, and the pair it is half of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from restoration_networks.conditional_nafnet import ConditionalNAFNet
from restoration_networks.latent_pair import LatentPair
from restoration_networks.latent_unet import LatentUNet
from safetensors.torch import load_file
from torch import Tensor

DATA = Path(__file__).parent / "data"
UNET: dict[str, Any] = {"width": 8, "multipliers": (1, 2), "latent_channels": 4}
NAFNET: dict[str, Any] = {"width": 8, "encoder": (1, 1), "decoder": (1, 1), "time_scale": 1.0}


def recorded(name: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights, and the inputs and answers, of a file."""
    tensors = load_file(DATA / f"{name}.safetensors")
    weights = {key[2:]: value for key, value in tensors.items() if key.startswith("w.")}
    return weights, {key: value for key, value in tensors.items() if not key.startswith("w.")}


def published() -> tuple[LatentUNet, dict[str, Tensor]]:
    weights, numbers = recorded("latent_unet_tiny")
    network = LatentUNet(**UNET)
    network.load_state_dict(weights)
    return network.eval(), numbers


def pair() -> LatentPair:
    """Return a pair of the published weights for both halves."""
    torch.manual_seed(0)
    network = LatentPair(autoencoder_width=8, multipliers=(1, 2), latent_channels=4, **NAFNET)
    network.autoencoder.load_state_dict(recorded("latent_unet_tiny")[0])
    network.denoiser.load_state_dict(recorded("nafnet_latent_tiny")[0])
    return network.eval()


def test_weights_have_the_published_names_and_shapes() -> None:
    theirs = {name: value.shape for name, value in recorded("latent_unet_tiny")[0].items()}
    assert {name: value.shape for name, value in LatentUNet(**UNET).state_dict().items()} == theirs


@pytest.mark.parametrize("side", ["x", "y"])
@torch.inference_mode()
def test_latents_are_those_of_the_published_code(side: str) -> None:
    network, numbers = published()
    latent, hidden = network.encode(numbers[f"in.{side}"])
    torch.testing.assert_close(latent, numbers[f"latent.{side}"], atol=1e-5, rtol=0)
    assert len(hidden.features) == 2 * len(UNET["multipliers"]) + 1


@pytest.mark.parametrize(("one", "other"), ["xx", "yx", "yy"])
@torch.inference_mode()
def test_pictures_of_one_latent_with_what_another_hides_are_those_of_the_published_code(one: str, other: str) -> None:
    network, numbers = published()
    latent, _ = network.encode(numbers[f"in.{one}"])
    _, hidden = network.encode(numbers[f"in.{other}"])
    torch.testing.assert_close(network.decode(latent, hidden), numbers[f"decode.{one}_{other}"], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_second_encoding_does_not_change_what_the_first_left_out() -> None:
    network, numbers = published()
    latent, hidden = network.encode(numbers["in.x"])
    network.encode(torch.rand(1, 3, 33, 40))
    torch.testing.assert_close(network.decode(latent, hidden), numbers["decode.x_x"], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("options", "millions"),
    [({}, 2.008), ({"width": 64, "multipliers": (1, 2, 4), "latent_channels": 4}, 6.155)],
)
def test_networks_of_full_size_have_as_many_parameters_as_the_published_ones(
    options: dict[str, Any], millions: float
) -> None:
    with torch.device("meta"):
        network = LatentUNet(**options)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 3) == millions


@torch.inference_mode()
def test_a_latent_of_the_published_size_is_an_eighth_of_its_picture() -> None:
    latent, _ = LatentUNet().encode(torch.rand(1, 3, 60, 100))
    assert latent.shape == (1, 8, 8, 14)


def test_the_halves_of_the_pair_are_the_published_networks() -> None:
    with torch.device("meta"):
        halves, unet, nafnet = LatentPair(), LatentUNet(), ConditionalNAFNet(channels=8, intro_skip=True)
    for half, network in ((halves.autoencoder, unet), (halves.denoiser, nafnet)):
        assert {k: v.shape for k, v in half.state_dict().items()} == {
            k: v.shape for k, v in network.state_dict().items()
        }


@pytest.mark.parametrize("case", ["int", "odd"])
@torch.inference_mode()
def test_a_pair_called_with_latents_denoises_them_as_the_published_code_does(case: str) -> None:
    _, numbers = recorded("nafnet_latent_tiny")
    inputs = [numbers[f"in.{case}.{i}"] for i in range(3)]
    torch.testing.assert_close(pair()(*inputs), numbers[f"out.{case}"], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_pair_called_with_pictures_decodes_the_denoised_latent_with_what_the_degraded_one_hides() -> None:
    network, (_, numbers) = pair(), recorded("latent_unet_tiny")
    x, y, t = numbers["in.x"], numbers["in.y"], torch.tensor([40.0])
    denoised = network.denoiser(numbers["latent.x"], numbers["latent.y"], t)
    expected = network.decode(denoised, network.encode(y)[1])
    torch.testing.assert_close(network(x, y, t), expected, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_latents_stay_in_float32_where_the_network_does_not() -> None:
    network, numbers = published()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        latent, hidden = network.encode(numbers["in.x"])
        assert latent.dtype == network.decode(latent, hidden).dtype == torch.float32


@pytest.mark.parametrize(
    ("network", "options", "words"),
    [
        (LatentPair, {"latent_channels": 3}, "latent_channels must differ from the 3 channels"),
        (LatentUNet, {"multipliers": ()}, "multipliers must be one or more"),
        (LatentUNet, {"width": 0}, "width"),
    ],
)
def test_options_that_make_no_network_are_named(network: type, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        network(**options)
