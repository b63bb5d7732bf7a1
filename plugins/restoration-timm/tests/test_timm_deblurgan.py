"""DeblurGAN-v2: its files are recognised, and it answers as the published code does."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

import pytest
import torch
from restoration_timm.deblurgan import DeblurGANv2
from restoration_timm.published import DeblurGANv2Layout
from safetensors import safe_open
from torch import Tensor

from restoration import Converted
from restoration.foreign.recognition import build
from restoration.testing import LayoutContract

DATA = Path(__file__).with_name("data")
SIZES = {"mobile": (40, 70), "inception": (100, 97)}
"""The files of answers, and the sizes of their pictures."""


def filled(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """Return tensors of names and shapes with values of a formula: waves of different phases, of the spread of He."""
    tensors = {}
    for place, (name, shape) in enumerate(sorted(shapes.items())):
        wave = torch.sin(0.7 * torch.arange(prod(shape), dtype=torch.float64) ** 1.3 + place)
        if len(shape) > 1:
            value = wave * (2 / prod(shape[1:])) ** 0.5
        else:
            value = 1 + 0.2 * wave if name.endswith("weight") else 0.1 * wave
        tensors[name] = value.reshape(shape).float()
    return tensors


def wave(height: int, width: int) -> Tensor:
    """Return the picture that the published code was shown."""
    y, x = torch.meshgrid(
        torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64), indexing="ij"
    )
    return torch.stack([0.5 + 0.45 * torch.sin(0.31 * (c + 1) * x + 0.17 * y * (c + 2) + c) for c in range(3)])[
        None
    ].float()


def recorded(name: str) -> tuple[dict[str, Tensor], Tensor]:
    """Return the tensors of a network of the published code, and its answer."""
    with safe_open(DATA / f"{name}.safetensors", "pt") as file:
        return filled(json.loads(file.metadata()["shapes"])), file.get_tensor("y")


def recognised(state: dict[str, Tensor]) -> Converted:
    found = DeblurGANv2Layout().convert(state)
    assert found is not None
    return found


class TestDeblurGANv2Layout(LayoutContract):
    name = "deblurgan-v2"

    def files(self) -> list[dict[str, Tensor]]:
        return [recorded("mobile")[0]]


@pytest.mark.parametrize("name", ["mobile", pytest.param("inception", marks=pytest.mark.slow)])
@torch.inference_mode()
def test_deblurgan_v2_answers_as_the_published_code_does(name: str) -> None:
    state, wanted = recorded(name)
    kept = dict(state)
    state["fpn.enc0.0.0.weight"] = torch.zeros(1)  # a file has the known network twice, and what its norms counted
    state["fpn.features.17.conv.0.weight"] = state["smooth.1.running_mean"] = torch.zeros(2)
    found = recognised({f"module.{key}": value for key, value in state.items()})
    assert found.tensors.keys() == kept.keys()
    network = build(found).eval()
    network.load_state_dict(dict(found.tensors))
    network, picture = network.double(), wave(*SIZES[name]).double()
    answer = network(picture).clamp(0, 1)[..., ::2, ::2]
    torch.testing.assert_close(answer, wanted.double(), atol=2e-5, rtol=0)
    assert (wanted - picture[..., ::2, ::2]).abs().mean() > 0.05, "a network that does nothing would pass"


@torch.inference_mode()
def test_mixed_precision_ends_where_the_picture_is_made() -> None:
    torch.manual_seed(0)  # how far half precision leads depends on the weights
    network = DeblurGANv2(width=4).eval()
    with torch.autocast("cpu", torch.bfloat16):
        answer = network(wave(40, 40))
    assert answer.dtype == torch.float32
    assert (answer - network(wave(40, 40))).abs().mean() < 0.1


@torch.inference_mode()
def test_a_picture_is_restored_by_its_own_statistics_whatever_lies_beside_it_in_the_batch() -> None:
    network = DeblurGANv2(width=4).eval()
    first, second = wave(40, 40), 0.2 * wave(40, 40).flip(3)
    both = network(torch.cat([first, second]))
    torch.testing.assert_close(both[:1], network(first), atol=1e-5, rtol=0)


def test_a_pyramid_over_another_network_is_not_taken_for_it() -> None:
    state = {name: value for name, value in recorded("mobile")[0].items() if not name.startswith("fpn.features")}
    assert DeblurGANv2Layout().convert(state) is None
