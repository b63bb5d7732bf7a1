"""Files of the published code of IR-SDE, Refusion, Noise2Noise and Deep Image Prior, recognised by their names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from restoration_dip.published import PublishedLayout as DIPLayout
from restoration_ir_sde.published import PublishedLayout as IRSDELayout
from restoration_noise2noise.networks import SharedUNet, StackUNet
from restoration_noise2noise.published import PublishedLayout as Noise2NoiseLayout
from safetensors.torch import load_file
from torch import Tensor

from restoration import BadWeights
from restoration.foreign.conversion import convert
from restoration.foreign.recognition import build, recognise
from restoration.recipe import Recipe, build_parts
from restoration.testing import LayoutContract

PLUGINS = Path(__file__).parents[1] / "plugins"


def recorded(name: str) -> dict[str, Tensor]:
    """Return tensors of the published code, and what it answered."""
    return load_file(PLUGINS / "restoration-networks" / "tests" / "data" / f"{name}.safetensors")


def official(name: str) -> dict[str, Tensor]:
    """Return the tensors of a small network as the published code saves them."""
    return {key[2:]: value for key, value in recorded(name).items() if key.startswith("w.")}


class TestIRSDELayout(LayoutContract):
    name = "ir-sde"

    def files(self) -> list[dict[str, Tensor]]:
        return [official(name) for name in ("unet_tiny", "unet_denoising_tiny", "nafnet_tiny")]


class TestNoise2NoiseLayout(LayoutContract):
    name = "noise2noise"

    def files(self) -> list[dict[str, Tensor]]:
        return [SharedUNet(width=6).state_dict(), StackUNet(width=6, depth=4).state_dict()]


@pytest.mark.parametrize("name", ["unet_tiny", "nafnet_tiny", "unet_denoising_tiny"])
@torch.inference_mode()
def test_networks_of_ir_sde_answer_as_the_published_code_does(name: str) -> None:
    found = IRSDELayout().convert(official(name))
    assert found is not None
    network, vectors = build(found).eval(), recorded(name)
    network.load_state_dict(dict(found.tensors))
    *pictures, time = [vectors[key] for key in sorted(vectors) if key.startswith("in.int.")]
    torch.testing.assert_close(network(*pictures, time / 100), vectors["out.int"], atol=1e-5, rtol=0)


def test_the_recipe_of_ir_sde_records_the_correction_and_the_path_of_its_task(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(official("unet_tiny"), tmp_path / "unet.safetensors")
    save_file(official("nafnet_tiny"), tmp_path / "nafnet.safetensors")
    lambdas = {"derain": 10, "deblur": 10, "inpaint": 30, "sr": 30}
    for task, expected in lambdas.items():
        recipe = convert(tmp_path / "unet.safetensors", task).recipe
        assert recipe.objective is not None and recipe.schedule is not None and recipe.sampler is not None
        assert (recipe.method.name, recipe.task.name) == ("ir-sde", task)
        assert recipe.objective.options == {"norm": "l1", "corrected": True}
        assert (recipe.schedule.options["max_sigma"], recipe.method.options["steps"]) == (expected, 100)
        assert recipe.sampler.name == "posterior"
        build_parts(Recipe.from_json(recipe.to_json()))
    refusion = convert(tmp_path / "nafnet.safetensors", "deblur").recipe
    assert refusion.schedule is not None and refusion.schedule.options["max_sigma"] == 50
    assert refusion.network is not None and refusion.network.options["encoder"] == [1, 2]


@torch.inference_mode()
def test_variables_of_the_authors_of_noise2noise_are_those_of_their_network() -> None:
    network = StackUNet(width=6).eval()
    theirs = {
        "autoencoder/" + name.replace(".", "/"): value.permute(2, 3, 1, 0) if value.ndim == 4 else value
        for name, value in network.state_dict().items()
    }
    found = Noise2NoiseLayout().convert(theirs)
    assert found is not None and found.method.name == "noise2noise"
    other, x = build(found).eval(), torch.rand(1, 3, 40, 33)
    other.load_state_dict(dict(found.tensors))
    torch.testing.assert_close(other(x), network(x))


@pytest.mark.parametrize("name", ["skip_tiny", "skip_noskip_nearest_avg", "unet_small"])
def test_a_network_of_deep_image_prior_is_named_and_refused(name: str) -> None:
    vectors = load_file(PLUGINS / "restoration-dip" / "tests" / "data" / f"{name}.safetensors")
    state = {key.removeprefix("official."): value for key, value in vectors.items() if key.startswith("official.")}
    with pytest.raises(BadWeights, match=r"net\.pth: it is a network of Deep Image Prior, which was fitted to one"):
        recognise(state, Path("net.pth"))
    assert DIPLayout().convert({"2.weight": torch.zeros(1)}) is None
