"""The networks of Deep Image Prior against what the published code answers, from its weights and from its seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from restoration_dip.networks.official import rename_weights
from restoration_dip.networks.skip import SkipNet
from restoration_dip.networks.unet import UNet
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import mse_loss

from restoration import BadWeights

DATA = Path(__file__).parent / "data"
TINY: dict[str, Any] = {"in_channels": 4, "down": (8, 8, 8), "up": (8, 8, 8), "skip": (4, 4, 4)}
MIXED = {"in_channels": 3, "down": (4, 4, 8, 8, 8), "up": (4, 4, 8, 8, 8), "skip": (0, 0, 0, 4, 4), "act": "elu"}
SKIPLESS = {
    "in_channels": 2,
    "channels": 1,
    "down": (4, 8),
    "up": (4, 8),
    "skip": (0, 0),
    "kernel_down": 5,
    "upsample": "nearest",
    "downsample": "avg",
    "pad": "zero",
    "mix": False,
}
LANCZOS = {"in_channels": 3, "down": (4, 4), "up": (4, 4), "skip": (2, 2), "downsample": "lanczos2"}
CASES: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "skip_tiny": (TINY, (32, 32)),
    "skip_tiny_odd": (TINY, (45, 38)),
    "skip_noskip_nearest_avg": (SKIPLESS, (16, 24)),
    "skip_mixed_00044": (MIXED, (64, 64)),
    "skip_lanczos_down": (LANCZOS, (32, 32)),
}
every_case = pytest.mark.parametrize("name", CASES)
SMALL_UNET: dict[str, Any] = {"in_channels": 3, "widths": (2, 4, 8, 16, 32)}


def recorded(name: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights under the original's names, and what it answers with them."""
    tensors = load_file(DATA / f"{name}.safetensors")
    official = tensors if name != "skip_tiny_odd" else load_file(DATA / "skip_tiny.safetensors")
    weights = {key.removeprefix("official."): value for key, value in official.items() if key.startswith("official.")}
    return weights, {key: value for key, value in tensors.items() if not key.startswith("official.")}


def drawn(seed: int, *shape: int) -> Tensor:
    torch.manual_seed(seed)
    return torch.rand(shape)


def fresh(name: str) -> SkipNet:
    """Return the network of a case with the published weights."""
    torch.manual_seed(0)
    network = SkipNet(**CASES[name][0])
    network.load_state_dict(rename_weights(recorded(name)[0]))
    return network


@every_case
def test_answers_are_those_of_the_published_code(name: str) -> None:
    options, size = CASES[name]
    answer = fresh(name)(drawn(1, 1, options["in_channels"], *size) * 0.1)
    torch.testing.assert_close(answer.detach(), recorded(name)[1]["y"], atol=2e-5, rtol=0)


@every_case
def test_steps_of_adam_on_a_shaken_input_go_where_those_of_the_published_code_go(name: str) -> None:
    (options, size), (_, numbers), network = CASES[name], recorded(name), fresh(name)
    x, target = drawn(1, 1, options["in_channels"], *size) * 0.1, drawn(2, *numbers["y"].shape)
    optimizer, rng = torch.optim.Adam(network.parameters(), lr=0.01), torch.Generator().manual_seed(3)
    for expected in numbers["losses"].tolist():
        optimizer.zero_grad()
        answer = network(x + torch.empty_like(x).normal_(generator=rng) / 30)
        loss = mse_loss(answer, target)
        torch.autograd.backward(loss)
        optimizer.step()
        assert loss.item() == pytest.approx(expected, abs=1e-5)
    torch.testing.assert_close(answer.detach(), numbers["y_last"], atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", [name for name in CASES if "lanczos" not in name])
def test_a_seed_gives_the_weights_that_it_gives_the_published_code(name: str) -> None:
    torch.manual_seed(0)
    ours, theirs = SkipNet(**CASES[name][0]).state_dict(), rename_weights(recorded(name)[0])
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_the_network_of_full_size_starts_as_the_published_one() -> None:
    _, numbers = recorded("skip_f16_init")
    torch.manual_seed(0)
    network = SkipNet()
    z = torch.empty(1, 32, 64, 64).uniform_() * 0.1
    assert torch.equal(z[0, :2, :4, :4], numbers["z_head"])
    assert torch.equal(network.state_dict()["skip.0.conv.weight"], numbers["first_conv"])
    shapes = json.loads((DATA / "skip_f16_keys.json").read_text(encoding="utf-8"))
    in_their_order = rename_weights({key: torch.empty(shape) for key, shape in shapes.items()})
    parameters = dict(network.named_parameters())
    sums = [float(parameters[key].detach().double().sum()) for key in in_their_order if key in parameters]
    torch.testing.assert_close(torch.tensor(sums, dtype=torch.float64), numbers["param_sum"], atol=1e-9, rtol=0)
    torch.testing.assert_close(network(z).detach(), numbers["y"], atol=5e-5, rtol=0)  # rounding of `winograd`
    exact = network.double()(z.double()).detach().float()
    torch.testing.assert_close(exact, numbers["y"], atol=1e-5, rtol=0)


def test_names_and_shapes_of_full_size_are_the_published_ones() -> None:
    shapes = json.loads((DATA / "skip_f16_keys.json").read_text(encoding="utf-8"))
    with torch.device("meta"):
        ours, theirs = SkipNet(), {key: torch.empty(shape) for key, shape in shapes.items()}
    expected = {key: value.shape for key, value in ours.state_dict().items()}
    assert {key: value.shape for key, value in rename_weights(theirs).items()} == expected


def test_the_unet_answers_as_the_published_one_from_its_weights_and_from_its_seed() -> None:
    weights, numbers = recorded("unet_small")
    torch.manual_seed(0)
    network, theirs = UNet(**SMALL_UNET), rename_weights(weights)
    ours = network.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    torch.testing.assert_close(network(drawn(1, 1, 3, 48, 48)).detach(), numbers["y"], atol=2e-5, rtol=0)


WIDE = (128, 128, 128, 128, 128)
LIBRARY = (16, 32, 64, 128, 128, 128)
KATE = (16, 32, 64, 128, 128)
SNAIL = (8, 16, 32, 64, 128)


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ({}, 2_217_831),
        ({"channels": 1}, 2_217_573),
        ({"in_channels": 3, "upsample": ("nearest", "nearest", *["bilinear"] * 3)}, 2_184_307),
        ({"in_channels": 2, "skip": (0, 0, 0, 0, 0), "upsample": "nearest"}, 2_157_955),
        ({"skip": WIDE, "upsample": "nearest"}, 3_002_627),
        ({"down": KATE, "up": KATE, "skip": (0, 0, 0, 0, 0), "downsample": "avg"}, 1_027_379),
        ({"in_channels": 3, "down": SNAIL, "up": SNAIL, "skip": (0, 0, 0, 4, 4)}, 572_827),
        (
            {"in_channels": 1, "down": LIBRARY, "up": LIBRARY, "skip": (0,) * 6, "kernel_down": 5, "mix": False},
            2_996_467,
        ),
    ],
)
def test_the_published_configurations_have_as_many_parameters_as_published(
    options: dict[str, Any], number: int
) -> None:
    with torch.device("meta"):
        network = SkipNet(**options)
    assert sum(p.numel() for p in network.parameters()) == number


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ({}, 2_164_899),
        (
            {
                "in_channels": 1,
                "widths": (8, 16, 32, 64, 128, 128),
                "upsample": "transposed",
                "norm": "instance",
                "pad": "zero",
            },
            1_616_315,
        ),
    ],
)
def test_the_unet_has_as_many_parameters_as_published(options: dict[str, Any], number: int) -> None:
    with torch.device("meta"):
        network = UNet(**options)
    assert sum(p.numel() for p in network.parameters()) == number


def test_a_unet_with_another_level_and_transposed_convolutions_is_renamed() -> None:
    theirs = ["start.conv1.0.0", "down4.conv.conv2.0.0", "more_downs.0.conv.conv1.0.0"]
    theirs += ["more_ups.0.up", "more_ups.0.conv.conv1.0.0", "up4.up", "up1.conv.conv2.0.0", "final.0.0"]
    ours = ["encoders.0.first.conv", "encoders.4.second.conv", "encoders.5.first.conv"]
    ours += ["decoders.0.enlarge", "decoders.0.pair.first.conv", "decoders.1.enlarge", "decoders.4.pair.second.conv"]
    named = rename_weights({f"{name}.weight": torch.zeros(1) for name in theirs})
    assert list(named) == [f"{name}.weight" for name in [*ours, "ending"]]
    with torch.device("meta"):
        state = UNet(widths=(2, 2, 2, 2, 2, 2), upsample="transposed", norm="none", pad="zero").state_dict()
    assert named.keys() <= state.keys()


@pytest.mark.parametrize("key", ["encoder.weight", "1.1.9.weight", "weight"])
def test_a_name_that_is_not_the_originals_is_an_error_in_one_line(key: str) -> None:
    weights, _ = recorded("skip_tiny")
    with pytest.raises(BadWeights, match=f"'{key}' is not in the networks of Deep Image Prior"):
        rename_weights({**weights, key: torch.zeros(1)})
