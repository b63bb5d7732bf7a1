"""The recipes of wider networks for a GPU: they name what there is, and their networks learn and restore."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch
from msgspec.structs import replace
from small import picture

from restoration.images import write
from restoration.recipe import Part, Recipe
from restoration.registry import registry
from restoration.registry.cards import NetworkCard, WeightsCard
from restoration.training.loop import train
from restoration.training.settings import Training

FOLDER = Path(__file__).parents[1] / "examples" / "recipes" / "wide"
FILES = sorted(FOLDER.glob("*.json"))
SMALL = {
    "unet-dense": {"widths": [4, 4], "encoder": [1], "middle": 1, "decoder": [1]},
    "sr-dense": {"width": 4, "blocks": 1},
}
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def test_every_set_of_weights_for_photographs_has_a_wider_sister() -> None:
    theirs = {(card.method, card.task) for card in registry().cards(WeightsCard) if card.method != "ddpm"}
    recipes = [Recipe.from_json(file.read_bytes(), file) for file in FILES]
    mine = {(recipe.method.name, recipe.task.name) for recipe in recipes}
    assert theirs - mine == {("denoising-sde", "denoise")}, "that one has the weights of denoising-ode"


@every_file
def test_it_is_named_after_its_method_and_task_and_is_larger_than_what_is_shipped(file: Path) -> None:
    recipe = Recipe.from_json(file.read_bytes(), file)
    assert file.stem.removesuffix("-real") == f"{recipe.method.name}-{recipe.task.name}"
    settings = msgspec.convert(recipe.training, Training)  # a setting that it does not know would be passed over
    assert settings.steps == 300_000 and recipe.network is not None
    with torch.device("meta"):
        network = registry().card(NetworkCard, recipe.network.name).build(recipe.network.options)
    assert 1.5e6 < sum(p.numel() for p in network.parameters()) < 3e6


@every_file
def test_a_small_twin_takes_a_step_and_restores(file: Path, tmp_path: Path) -> None:
    recipe = Recipe.from_json(file.read_bytes(), file)
    assert recipe.network is not None
    twin = replace(recipe, network=Part(recipe.network.name, {**recipe.network.options, **SMALL[recipe.network.name]}))
    twin = replace(twin, working_size=32 if recipe.working_size else 0)
    if recipe.schedule is not None:
        twin = replace(twin, method=Part(recipe.method.name, {"steps": 2}))
    settings = replace(msgspec.convert(recipe.training, Training), steps=1, batch=1, patch=24, held_out=1, warmup=0)
    (tmp_path / "pictures").mkdir()
    for seed in range(2):
        write(picture(36, 36, seed), tmp_path / "pictures" / f"{seed}.png")
    folder = train(twin, tmp_path / "pictures", tmp_path / "out", settings)
    assert folder.recipe().training["validation"]["psnr_rgb"] > 0
