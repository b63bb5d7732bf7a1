"""Recipes are read strictly, and weights are used only with the recipe that they were trained with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import load_file, save_file
from torch import nn

from restoration import weights
from restoration.engine.adapter import build_network
from restoration.errors import BadOption, BadPlugin, BadWeights, UnknownName
from restoration.recipe import (
    Part,
    Parts,
    Recipe,
    build_parts,
    build_restorer,
    build_task,
    default_recipe,
    with_options,
)
from restoration.registry import registry
from restoration.registry.cards import NetworkCard, RestorerCard

SMALL = {"width": 8, "encoder": [1], "middle": 1, "decoder": [1]}
RECIPE = Recipe(
    method=Part("ir-sde", {"steps": 2}),
    task=Part("derain"),
    network=Part("nafnet-compact", SMALL),
    schedule=Part("mean-reverting", {"T": 100, "max_sigma": 10.0}),
    objective=Part("clean-matching"),
    sampler=Part("ddim"),
)


@pytest.fixture
def folder(tmp_path: Path) -> weights.Folder:
    """A folder of weights, not trained."""
    torch.manual_seed(0)
    return weights.save(tmp_path / "weights", RECIPE, network_of(RECIPE), "# ir-sde, derain")


def network_of(recipe: Recipe) -> nn.Module:
    network = build_parts(recipe).network
    assert network is not None
    return network.network


def load(folder: weights.Folder) -> nn.Module:
    recipe = folder.recipe()
    network = network_of(recipe)
    weights.load(folder, network, recipe)
    return network


def edit_config(folder: weights.Folder, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder.path / weights.CONFIG
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def edit_model(folder: weights.Folder, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    """Change tensors, and lose the metadata, as with weights from elsewhere."""
    path = folder.path / weights.MODEL
    state = load_file(path)
    change(state)
    save_file(state, path)


def test_a_recipe_survives_json() -> None:
    recipe = Recipe(method=Part("a"), task=Part("b", {"x": [1, 2.5, "c", None]}), channels="y", requires=["d>=1"])
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_json(RECIPE.to_json().encode()) == RECIPE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"method": {"name": "a"}, "task": {"name": "b"}, "extra": 1}', "unknown field `extra`"),
        ('{"method": {"name": "a", "module": "os:system"}, "task": {"name": "b"}}', "unknown field `module`"),
        ('{"method": {"name": "a"}}', "missing required field `task`"),
        ('{"method": "a", "task": {"name": "b"}}', "Expected `object`, got `str`"),
        ('{"method": {"name": "a"}, "task": {"name": "b"}, "channels": "bgr"}', "channels must be rgb"),
        ("no json", "malformed"),
        ("", "truncated"),
    ],
)
def test_what_is_not_a_recipe_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadWeights, match=words) as caught:
        Recipe.from_json(text, "a/config.json")
    assert str(caught.value).startswith("a/config.json is not a recipe: ")


def test_a_folder_without_a_recipe_says_what_belongs_there(tmp_path: Path) -> None:
    folder = weights.Folder(path=tmp_path, origin="here")
    with pytest.raises(BadWeights, match=r"No such file.*holds config.json, model.safetensors, README.md"):
        folder.recipe()


def test_an_unknown_option_suggests_a_near_one() -> None:
    with pytest.raises(BadOption, match="network 'nafnet-compact' has no option 'witdh'; did you mean 'width'"):
        build_network(registry().card(NetworkCard, "nafnet-compact"), {"witdh": 8})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": "8"}, "option 'width' does not fit: Expected `int`, got `str`"),
        ({"width": 8.5}, "option 'width' does not fit"),
        ({"encoder": 1}, "option 'encoder' does not fit: Expected `array`, got `int`"),
        ({"encoder": [1, "2"]}, "option 'encoder' does not fit"),
        ({"residual": 1}, "option 'residual' does not fit: Expected `bool`, got `int`"),
        ({"encoder": [1, 1], "decoder": [1]}, "encoder has 2 levels and decoder 1"),
        ({"channels": 3}, "has no option 'channels'"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOption, match="network 'nafnet-compact'") as caught:
        build_network(registry().card(NetworkCard, "nafnet-compact"), options)
    assert words in str(caught.value)


def test_lists_of_json_become_tuples_and_whole_numbers_become_floats() -> None:
    task: Any = build_task(Recipe(method=Part("any"), task=Part("denoise", {"sigma": [5, 50]})))
    assert task.sigma == (5.0, 50.0)
    assert isinstance(task.sigma, tuple)
    assert isinstance(task.sigma[0], float)


def test_a_part_that_a_method_needs_is_missed_by_name() -> None:
    recipe = Recipe(method=Part("ir-sde"), task=Part("derain"), schedule=Part("mean-reverting"))
    with pytest.raises(BadWeights, match="the recipe of method 'ir-sde' names no network and no objective and no samp"):
        build_restorer(recipe, build_parts(recipe))


def test_a_part_that_a_method_can_do_without_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    card = RestorerCard(name="easy", factory="test_recipe_easy:easy", summary="")
    monkeypatch.setattr(RestorerCard, "load", lambda self: easy)
    cards: Any = registry()._cards
    monkeypatch.setitem(cards[RestorerCard], "easy", card)
    recipe = Recipe(method=Part("easy"), task=Part("derain"))
    assert build_restorer(recipe, Parts()) == "without"  # type: ignore[comparison-overlap]


def easy(*, network: Any = "without") -> Any:
    return network


def test_an_option_goes_to_the_part_before_its_dot_or_else_to_the_method() -> None:
    recipe = with_options(RECIPE, {"steps": 3, "network.width": 12, "sampler.eta": 0.5, "task.kind": "drops"})
    assert recipe.method == Part("ir-sde", {"steps": 3}) and recipe.task == Part("derain", {"kind": "drops"})
    assert recipe.network == Part("nafnet-compact", {**SMALL, "width": 12})
    assert recipe.sampler and recipe.sampler.options == {"eta": 0.5}
    assert (recipe.schedule, recipe.objective) == (RECIPE.schedule, RECIPE.objective)


def test_another_part_begins_with_its_own_defaults() -> None:
    recipe = with_options(RECIPE, {"network.width": 24}, parts={"network": "unet", "sampler": None})
    assert recipe.network == Part("unet", {"width": 24}) and recipe.sampler == RECIPE.sampler


@pytest.mark.parametrize("options", [{"network.width": 8}, {"schedule.T": 5}, {"objective.norm": "l2"}])
def test_what_weights_were_trained_with_cannot_be_changed(options: dict[str, Any]) -> None:
    with pytest.raises(BadOption, match="of their-weights are those of its weights"):
        with_options(RECIPE, options, owner="their-weights")
    assert with_options(RECIPE, {"steps": 3, "sampler.eta": 0.5}, owner="their-weights")


def test_an_option_or_a_part_that_there_is_not_is_refused() -> None:
    with pytest.raises(
        BadOption, match=r"option 'netwrok.width': a recipe has no part 'netwrok'; did you mean 'network'"
    ):
        with_options(RECIPE, {"netwrok.width": 8})
    plain = default_recipe("regression", "derain")
    with pytest.raises(BadOption, match="method 'regression' has no schedule"):
        with_options(plain, {"schedule.T": 5})
    with pytest.raises(BadOption, match="method 'regression' has no sampler"):
        with_options(plain, {}, parts={"sampler": "ddim"})


@pytest.mark.parametrize("field", ["method", "task", "network", "schedule", "objective", "sampler"])
def test_a_name_that_is_not_installed_says_what_to_install(field: str) -> None:
    recipe = Recipe.from_json(
        json.dumps({**json.loads(RECIPE.to_json()), field: {"name": "rare"}, "requires": ["restoration-rare>=2"]})
    )
    with pytest.raises(UnknownName, match=r"is named 'rare'.*the recipe asks for: pip install 'restoration-rare>=2'"):
        build_task(recipe) if field == "task" else build_restorer(recipe, build_parts(recipe))


def test_the_defaults_of_a_method_are_its_cards() -> None:
    recipe = default_recipe("ir-sde", "derain")
    assert recipe.method == Part("ir-sde")
    assert recipe.task == Part("derain")
    assert recipe.network
    assert recipe.restoration
    with pytest.raises(UnknownName, match="no task is named 'deriain'; did you mean 'derain'"):
        default_recipe("ir-sde", "deriain")


@pytest.mark.parametrize("defaults", [{"netwrok": {"name": "a"}}, {"network": {"nam": "a"}}, {"network": "a"}])
def test_defaults_that_are_no_parts_are_the_plugins_fault(defaults: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    card = RestorerCard(name="odd", factory="a:b", summary="", defaults=defaults)
    cards: Any = registry()._cards
    monkeypatch.setitem(cards[RestorerCard], "odd", card)
    with pytest.raises(BadPlugin, match="the defaults of method 'odd' are not parts of a recipe"):
        default_recipe("odd", "derain")


def test_a_network_that_cannot_be_given_what_a_path_needs_is_refused() -> None:
    card = NetworkCard(name="plain", factory="torch.nn:Identity", summary="")
    assert build_network(card, {}, path=False)
    with pytest.raises(BadOption, match="network 'plain' takes no y and t and has no in_channels"):
        build_network(card, {})


def test_weights_survive_in_half_precision(folder: weights.Folder) -> None:
    torch.manual_seed(0)
    before, after = network_of(RECIPE).state_dict(), load(folder).state_dict()
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert torch.equal(after[name], value.half().float())
    assert {value.dtype for value in load_file(folder.path / weights.MODEL).values()} == {torch.float16}
    assert sorted(path.name for path in folder.path.iterdir()) == sorted(weights.FILES)


def test_what_half_precision_cannot_hold_is_kept_whole(tmp_path: Path) -> None:
    network, again = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    network.state_dict()["num_batches_tracked"].fill_(70001)
    network.state_dict()["running_var"].fill_(1e6)
    weights.load(weights.save(tmp_path, RECIPE, network, ""), again, RECIPE)
    assert int(again.state_dict()["num_batches_tracked"]) == 70001
    assert again.state_dict()["num_batches_tracked"].dtype == torch.int64
    assert again.state_dict()["running_var"].tolist() == [1e6, 1e6]


def test_a_recipe_may_change_what_does_not_belong_to_the_weights(folder: weights.Folder) -> None:
    def change(config: dict[str, Any]) -> None:
        config["method"]["options"] = {"steps": 50}
        config["sampler"] = {"name": "posterior"}
        config["schedule"]["options"]["max_sigma"] = 10

    edit_config(folder, change)
    assert load(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda config: config["schedule"].update(name="denoising-sde"), 'schedule.name = "denoising-sde", but'),
        (lambda config: config["schedule"]["options"].update(T=50), "schedule.options.T = 50, but"),
        (lambda config: config["schedule"]["options"].update(max_sigma=50), "schedule.options.max_sigma = 50, but"),
        (lambda config: config["schedule"]["options"].pop("T"), "schedule.options.T = null, but"),
        (lambda config: config["schedule"]["options"].update(eps=0.01), "sets schedule.options.eps, which"),
        (lambda config: config.pop("schedule"), "schedule.name = null, but"),
        (lambda config: config["objective"].update(name="noise-matching"), 'objective.name = "noise-matching", but'),
        (lambda config: config["objective"].update(options={"norm": "l2"}), "sets objective.options.norm, which"),
        (lambda config: config["network"]["options"].update(residual=False), "sets network.options.residual, which"),
        (lambda config: config["network"]["options"].update(middle=2), "network.options.middle = 2, but"),
        (lambda config: config.update(channels="y"), 'channels = "y", but its weights were trained with "rgb"'),
    ],
)
def test_weights_are_refused_under_another_recipe(
    change: Callable[[dict[str, Any]], Any], words: str, folder: weights.Folder
) -> None:
    edit_config(folder, change)
    with pytest.raises(BadWeights) as caught:
        load(folder)
    assert words in str(caught.value)
    assert str(folder.path / weights.CONFIG) in str(caught.value)


def first(state: dict[str, torch.Tensor]) -> str:
    return sorted(state)[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state[first(state)].flatten()[:1].fill_(torch.nan), "holds numbers that are not finite"),
        (lambda state: state[first(state)].flatten()[:1].fill_(torch.inf), "holds numbers that are not finite"),
        (lambda state: state.pop(first(state)), "lacks "),
        (lambda state: state.update(surprise=torch.zeros(1)), "has surprise, which the network of its recipe does not"),
        (lambda state: state.update({first(state): torch.zeros(1, 2)}), "has the shape [1, 2], not ["),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    change: Callable[[dict[str, torch.Tensor]], Any], words: str, folder: weights.Folder
) -> None:
    edit_model(folder, change)
    with pytest.raises(BadWeights) as caught:
        load(folder)
    assert words in str(caught.value)


def test_a_model_that_is_cut_off_or_missing_is_refused(folder: weights.Folder) -> None:
    path = folder.path / weights.MODEL
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadWeights, match=r"model\.safetensors cannot be read"):
        load(folder)
    path.unlink()
    with pytest.raises(BadWeights, match=r"model\.safetensors cannot be read"):
        load(folder)


def test_metadata_that_is_no_json_is_refused(folder: weights.Folder) -> None:
    path = folder.path / weights.MODEL
    save_file(load_file(path), path, metadata={"trained": "{"})
    with pytest.raises(BadWeights, match="does not say what it was trained with"):
        load(folder)


def test_an_unknown_part_that_was_asked_for_says_nothing_of_what_the_recipe_needs():
    recipe = default_recipe("regression", "denoise")
    with pytest.raises(UnknownName, match=r"no network is named 'nafnet-compakt'; did you mean 'nafnet-compact'\?$"):
        with_options(replace(recipe, requires=("restoration-rare>=2",)), {}, parts={"network": "nafnet-compakt"})
