"""The recipes in `examples/recipes` can be trained from: at full size they can be built, and a small twin learns."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import load_file
from small import picture
from test_contracts import HOW

from restoration.images import write
from restoration.recipe import Part, Recipe, build_parts
from restoration.registry import registry
from restoration.registry.cards import NetworkCard, RestorerCard, TaskCard
from restoration.training.loop import train
from restoration.training.records import read_log
from restoration.training.settings import Training

FOLDER = Path(__file__).parents[1] / "examples" / "recipes"
FILES = sorted(FOLDER.glob("*.json"))
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
MILLIONS = {
    "ir-sde": 137.148,
    "denoising-ode": 137.137,
    "refusion": 76.608,
    "latent-refusion": 78.625,
}
"""Parameters, by how the name of a file begins; those of Latent Refusion are 76.617 and 2.008."""


def small(recipe: Recipe) -> Recipe:
    """Return a recipe with a small network of the same kind, and a short walk."""
    assert recipe.network is not None
    options = HOW[NetworkCard, recipe.network.name]["options"]
    return replace(
        recipe,
        method=Part(recipe.method.name, {**recipe.method.options, "steps": 2}),
        network=Part(recipe.network.name, {**recipe.network.options, **options}),
    )


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for seed in range(2):
        write(picture(32, 40, seed), tmp_path / "pictures" / f"{seed}.png")
    return tmp_path / "pictures"


def test_both_papers_and_the_latent_one_are_there() -> None:
    assert {"ir-sde-derain", "refusion-derain", "latent-refusion-dehaze"} <= {file.stem for file in FILES}


@every_file
def test_a_recipe_says_what_it_is_for_in_words_that_are_known(file: Path) -> None:
    recipe = Recipe.from_json(file.read_bytes(), file)
    card = registry().card(RestorerCard, recipe.method.name)
    registry().card(TaskCard, recipe.task.name)
    assert not card.tasks or recipe.task.name in card.tasks
    assert file.stem.endswith(f"-{recipe.task.name}")
    settings = msgspec.convert(recipe.training, Training)  # a setting that it does not know would be passed over
    assert settings.steps >= 400_000


@every_file
def test_its_network_has_the_published_size(file: Path) -> None:
    recipe = Recipe.from_json(file.read_bytes(), file)
    assert recipe.network is not None
    with torch.device("meta"):
        network = registry().card(NetworkCard, recipe.network.name).build(recipe.network.options)
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    assert round(millions, 3) == MILLIONS[file.stem.removesuffix(f"-{recipe.task.name}")]


@every_file
def test_refusion_walks_among_noise_of_50_levels(file: Path) -> None:
    recipe = Recipe.from_json(file.read_bytes(), file)
    assert recipe.schedule is not None
    assert ("refusion" in file.stem) == (recipe.schedule.options["max_sigma"] == 50)
    parts = build_parts(small(recipe))
    assert parts.schedule is not None
    noise = float(parts.schedule.at(torch.ones(1))[2])
    assert noise == pytest.approx(recipe.schedule.options["max_sigma"] / 255, rel=1e-3)


@every_file
def test_a_small_twin_of_it_takes_a_step_and_restores(file: Path, pictures: Path, tmp_path: Path) -> None:
    recipe = small(Recipe.from_json(file.read_bytes(), file))
    settings = replace(msgspec.convert(recipe.training, Training), steps=1, batch=2, patch=16, held_out=1, warmup=0)
    torch.manual_seed(settings.seed)
    before = build_parts(recipe).network.network.state_dict()
    folder = train(recipe, pictures, tmp_path / "out", settings)
    (line,) = read_log(folder.path)
    assert 0 < line["loss"] < 10
    assert line["psnr_rgb"] > 0
    after = load_file(folder.path / "model.safetensors")
    assert any(not torch.equal(value.half(), after[name].half()) for name, value in before.items())


def test_latent_refusion_is_trained_in_two_stages_from_the_command_line(
    tmp_path: Path, pictures: Path, restore
) -> None:
    common = ["train", "latent-ir-sde", "--task", "dehaze", "--data", pictures, "--device", "cpu", "-q"]
    common += ["--recipe", FOLDER / "latent-refusion-dehaze.json", "--steps", 2, "--batch", 2, "--patch", 16]
    common += ["--set", "method.steps=2"]
    for name, value in HOW[NetworkCard, "latent-pair"]["options"].items():
        common += ["--set", f"network.{name}={json.dumps(value)}"]
    stages = (("autoencoder", []), ("denoiser", ["--start", tmp_path / "autoencoder"]))
    weights = {}
    for stage, start in stages:
        out = tmp_path / stage
        done = restore(*common, "--set", f"objective.stage={stage}", "--out", out, *start)
        assert done.returncode == 0, done.stderr
        weights[stage] = load_file(out / "model.safetensors")
    same = {name for name, value in weights["autoencoder"].items() if torch.equal(value, weights["denoiser"][name])}
    assert {name for name in weights["denoiser"] if name.startswith("autoencoder.")} <= same
    assert not all(name in same for name in weights["denoiser"])
    given = ["--weights", tmp_path / "denoiser", "--device", "cpu", "-o", tmp_path / "clear.png"]
    done = restore("run", "--method", "latent-ir-sde", "--task", "dehaze", *given, "--accept", pictures / "0.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clear.png").exists()
