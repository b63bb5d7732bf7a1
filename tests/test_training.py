"""A training stops after any step and goes on to the same numbers."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import load_file
from small import SMALL, picture
from together import trainer_and_batches

from restoration.errors import BadOption, BadPicture, RestorationError
from restoration.images import write
from restoration.images.folders import Pair, pairs_in, pictures_in
from restoration.recipe import Part, Recipe, build_parts, default_recipe
from restoration.registry import registry
from restoration.registry.cards import WeightsCard
from restoration.training import checkpoint
from restoration.training.loop import train
from restoration.training.patches import Patches, split
from restoration.training.records import CHECKPOINT, read_log
from restoration.training.settings import ABSENT, FREE, Training
from restoration.weights import CONFIG, MODEL, Folder, bundled, load

QUICK = Training(
    steps=6, batch=2, patch=16, warmup=2, held_out=1, validate_every=3, checkpoint_every=3, precision="fp32"
)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(4):
        write(picture(40, 48, seed), folder / f"{seed}.png")
    return folder


def small(method: str = "ir-sde", task: str = "derain") -> Recipe:
    return replace(default_recipe(method, task), network=Part("nafnet-compact", SMALL))


def test_the_averaged_weights_do_not_remember_the_steps_they_come_from(pictures: Path) -> None:
    trainer, batches = trainer_and_batches(small(), pictures, QUICK)
    before = [parameter.clone() for parameter in trainer.average.parameters()]
    trainer.advance(*next(iter(batches)))
    after = list(trainer.average.parameters())
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True)), "nothing was averaged"
    assert all(new.grad_fn is None and not new.requires_grad for new in after)


def test_parts_that_do_not_fit_each_other_are_said_and_nothing_is_written(tmp_path: Path, pictures: Path) -> None:
    recipe = replace(small(), schedule=Part("denoising-sde"), objective=Part("euler-matching"))
    with pytest.raises(BadOption, match="do not fit: Euler's step needs a mean-reverting path"):
        train(recipe, pictures, tmp_path / "out", QUICK)
    assert not (tmp_path / "out" / MODEL).exists()


def test_a_schedule_stands_where_something_looks_at_it_and_nowhere_else(tmp_path: Path, pictures: Path) -> None:
    recipe = small("regression", "derain")
    with pytest.raises(BadOption, match="objective 'noise-matching' learns along a path, and method 'regression' has"):
        train(replace(recipe, objective=Part("noise-matching")), pictures, tmp_path / "out", QUICK)
    with pytest.raises(BadOption, match="neither method 'regression' nor objective 'regression' looks at a schedule"):
        train(replace(recipe, schedule=Part("ddpm")), pictures, tmp_path / "out", QUICK)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("method", "blend"), [("ir-sde", 0.0), ("regression", 0.0), ("ir-sde", 0.3)])
def test_a_training_that_was_stopped_ends_with_the_same_bytes(tmp_path, pictures, weights, method, blend):
    class Stopped(Exception):
        pass

    def stop(progress):
        if progress.step == 4:
            raise Stopped

    settings, start = replace(QUICK, blend=blend), Folder(path=weights, origin="tiny") if blend else None
    train(small(method), pictures, tmp_path / "whole", settings, start=start)
    with pytest.raises(Stopped):
        train(small(method), pictures, tmp_path / "stopped", settings, start=start, observe=stop)
    unfinished = Folder(path=tmp_path / "stopped", origin="stopped")
    load(unfinished, build_parts(unfinished.recipe()).network.network, unfinished.recipe())
    assert unfinished.recipe().training["unfinished"] == 3
    assert "**Unfinished:** after 3 of 6 steps." in (tmp_path / "stopped" / "README.md").read_text()
    train(small(method), pictures, tmp_path / "stopped", settings)
    whole, stopped = ((tmp_path / name / MODEL).read_bytes() for name in ("whole", "stopped"))
    assert whole == stopped
    assert "unfinished" not in unfinished.recipe().training
    assert "Unfinished" not in (tmp_path / "stopped" / "README.md").read_text()


def test_another_seed_gives_other_weights(tmp_path, pictures):
    train(small(), pictures, tmp_path / "a", QUICK)
    train(small(), pictures, tmp_path / "b", replace(QUICK, seed=1))
    assert (tmp_path / "a" / MODEL).read_bytes() != (tmp_path / "b" / MODEL).read_bytes()


def test_the_result_is_a_folder_of_weights_with_a_card_and_a_log(tmp_path, pictures):
    folder = train(small(), pictures, tmp_path / "out", QUICK)
    recipe = Folder(path=folder.path, origin="out").recipe()
    assert recipe.training["steps"] == 6
    assert [text.split(">=")[0] for text in recipe.requires] == [
        "restoration-ir-sde",
        "restoration-networks",
        "restoration-tasks",
    ]
    assert recipe.training["pictures"] == 3
    assert recipe.training["validation"]["pictures"] == 1
    card = (folder.path / "README.md").read_text()
    assert "library_name: restoration" in card
    assert "ir-sde/derain" in card
    log = [json.loads(line) for line in (folder.path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [3, 6]


def test_what_is_kept_did_best_on_the_pictures_held_out_and_not_last(tmp_path, pictures):
    ruin = replace(QUICK, steps=40, lr=0.5, warmup=2, ema=0.5, validate_every=1, checkpoint_every=1)
    folder = train(small("regression", "denoise"), pictures, tmp_path / "out", ruin)
    quality = {line["step"]: line["psnr_rgb"] for line in read_log(folder.path)}
    best = max(quality, key=lambda step: quality[step])
    validation = folder.recipe().training["validation"]
    assert validation["step"] == best < ruin.steps, quality
    assert validation["psnr_rgb"] == round(quality[best], 2) > round(quality[ruin.steps], 2)
    assert f"the best weights of all validations, those after step {best}." in (folder.path / "README.md").read_text()
    nothing = replace(QUICK, steps=1, lr=1e-12, warmup=0)
    again = train(folder.recipe(), pictures, tmp_path / "again", nothing, start=folder)
    (line,) = read_log(again.path)
    assert line["psnr_rgb"] == pytest.approx(quality[best], abs=0.01)  # kept in half precision


def test_what_is_kept_may_be_a_blend_of_the_start_and_of_what_was_learnt(tmp_path, pictures, weights):
    start, settings = Folder(path=weights, origin="tiny"), replace(QUICK, lr=1e-2, held_out=0)
    learnt, half = (
        train(small(), pictures, tmp_path / str(blend), replace(settings, blend=blend), start=start)
        for blend in (0.0, 0.5)
    )
    begun, whole, mixed = (load_file(folder.path / MODEL) for folder in (start, learnt, half))
    assert any(not torch.equal(begun[name], whole[name]) for name in begun)
    for name, value in mixed.items():
        middle = (begun[name].float() + whole[name].float()) / 2
        torch.testing.assert_close(value.float(), middle, rtol=2e-3, atol=2e-4)
    assert half.recipe().training["blend"] == 0.5


def test_a_blend_needs_a_start_and_a_share_of_it(tmp_path, pictures):
    with pytest.raises(BadOption, match="no initial weights to blend with: name some with --start"):
        train(small(), pictures, tmp_path / "none", replace(QUICK, blend=0.3))
    with pytest.raises(ValueError, match="blend must be at least 0 and less than 1"):
        replace(QUICK, blend=1.0)


def test_with_none_held_out_the_last_average_is_kept(tmp_path, pictures):
    folder = train(small("regression"), pictures, tmp_path / "out", replace(QUICK, held_out=0))
    assert "validation" not in folder.recipe().training
    state = checkpoint.load((folder.path / CHECKPOINT).read_bytes(), folder.path)
    assert state["validation"]["best"] is None
    for name, value in load_file(folder.path / MODEL).items():
        torch.testing.assert_close(value.float(), state["trainer"]["average"][f"network.{name}"], rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="held_out must be at least 0"):
        replace(QUICK, held_out=-1)


def test_a_checkpoint_of_another_training_is_refused(tmp_path, pictures):
    train(small(), pictures, tmp_path / "out", QUICK)
    with pytest.raises(BadOption, match=f"{CHECKPOINT} is of another training: it was begun with --batch 2, not 3"):
        train(small(), pictures, tmp_path / "out", replace(QUICK, batch=3))
    with pytest.raises(
        BadOption, match=f"{CHECKPOINT} is of another training, with another recipe: method.name is .* and"
    ):
        train(small("regression"), pictures, tmp_path / "out", QUICK)
    checkpoint.write({"identity": "", "network": {}}, tmp_path / "out" / CHECKPOINT)
    with pytest.raises(BadOption, match=f"{CHECKPOINT} was written by another version of restoration"):
        train(small(), pictures, tmp_path / "out", QUICK)


def test_the_first_difference_of_two_recipes_is_named():
    before = {"network": {"name": "n", "options": {"width": 8}}, "channels": "RGB"}
    other = {"network": {"name": "n", "options": {"width": 16}}, "channels": "RGB"}
    assert checkpoint.first_difference(before, other) == "network.width is 8 there, and 16 here"
    assert checkpoint.first_difference(before, before | {"schedule": {}}) == "schedule is null there, and {} here"
    assert (
        checkpoint.first_difference({"a": [1] * 99}, {"a": 2})
        == "a is [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ... there, and 2 here"
    )


def test_the_loss_falls_and_the_picture_gets_better(tmp_path, pictures):
    settings = replace(QUICK, steps=150, batch=8, lr=5e-3, ema=0.9, validate_every=5, checkpoint_every=150)
    recipe = replace(small("regression", "denoise"), task=Part("denoise", {"sigma": [50, 50]}))
    folder = train(recipe, pictures, tmp_path / "out", settings)
    first, *_, last = (line["psnr_rgb"] for line in read_log(folder.path))
    assert last > first + 4


def test_a_training_starts_from_weights_of_the_same_network_only(tmp_path, pictures, weights):
    start = Folder(path=weights, origin="tiny")
    folder = train(small("regression"), pictures, tmp_path / "out", replace(QUICK, steps=1, lr=1e-9), start=start)
    assert folder.recipe().training["start"] == "tiny"
    wider, other = Part("nafnet-compact", {**SMALL, "width": 4}), Part("dncnn", {"width": 4, "depth": 3})
    for network in (wider, other):
        with pytest.raises(RestorationError, match=r"another network|and this training dncnn"):
            train(replace(small("regression"), network=network), pictures, tmp_path / "other", QUICK, start=start)


def test_a_deeper_network_starts_as_the_shallower_one_whose_weights_it_takes(tmp_path, pictures, weights):
    network = Part("nafnet-compact", {**SMALL, "encoder": [number + 1 for number in SMALL["encoder"]]})
    start, settings = Folder(path=weights, origin="tiny"), replace(QUICK, steps=1, lr=1e-9)
    folder = train(replace(small(), network=network), pictures, tmp_path / "out", settings, start=start)
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    answers = []
    for each in (folder, start):
        built = build_parts(each.recipe()).network
        load(each, built.network, each.recipe())
        answers.append(built.eval()(x, x, torch.ones(1)))
    torch.testing.assert_close(*answers, rtol=0, atol=1e-3)
    assert not torch.equal(x, answers[0])


@pytest.mark.parametrize("card", registry().cards(WeightsCard), ids=lambda card: card.name)
def test_the_recipe_beside_shipped_weights_says_all_that_a_training_asks_for(card):
    folder = bundled(card)
    recipe = folder.recipe()
    settings = {name: value for name, value in recipe.training.items() if name in Training.__struct_fields__}
    assert msgspec.to_builtins(msgspec.convert(settings, Training)).items() >= settings.items()
    assert settings.keys() >= set(Training.__struct_fields__) - {*FREE, *ABSENT}
    origin = recipe.training.get("start")
    if origin is not None:
        assert origin.partition(" ")[0] in {other.name for other in registry().cards(WeightsCard)}
    assert json.loads((folder.path / CONFIG).read_text())["requires"]


def test_a_recipe_is_followed_from_the_weights_that_it_began_with(restore, tmp_path, pictures):
    card = next(card for card in registry().cards(WeightsCard) if card.name == "ir-sde/inpaint")
    recipe = bundled(card).path / CONFIG
    quick = ("--steps", 1, "--batch", 1, "--patch", 16, "--lr", 1e-12, "--held-out", 0, "--device", "cpu")
    command = ("train", "ir-sde", "--task", "inpaint", "--data", pictures, "--recipe")
    done = restore(*command, recipe, *quick, "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    start = bundled(next(card for card in registry().cards(WeightsCard) if card.name == "regression/inpaint"))
    made = Folder(path=tmp_path / "again", origin="again").recipe()
    assert made.training["start"] == "regression/inpaint"
    weights, before = (load_file(folder / MODEL) for folder in (tmp_path / "again", start.path))
    for name, value in before.items():
        assert torch.allclose(weights[name].float(), value.float(), atol=1e-3), name
    plain = restore(*command, recipe, *quick, "--out", tmp_path / "plain", "--start", "none")
    assert plain.returncode == 0, plain.stderr
    assert "start" not in Folder(path=tmp_path / "plain", origin="plain").recipe().training
    lost = tmp_path / "lost.json"
    for name in ("somewhere", "regression/inpaint 0.0.1"):
        lost.write_text(recipe.read_text().replace('"regression/inpaint"', f'"{name}"'))
        asked = restore(*command, lost, *quick, "--out", tmp_path / "lost")
        assert asked.returncode == 2
        assert f"the recipe begins with weights '{name}': no set of weights is named" in asked.stderr
        assert asked.stderr.endswith("name them with --start\n")


def test_every_network_that_takes_nothing_can_be_trained_on_a_path(tmp_path, pictures):
    recipe = replace(default_recipe("ir-sde", "derain"), network=Part("dncnn", {"width": 8, "depth": 3}))
    folder = train(recipe, pictures, tmp_path / "out", replace(QUICK, steps=2))
    network = build_parts(folder.recipe()).network
    assert network is not None and network.network.dncnn[0].in_channels == 7, "the state, the picture and the time"
    load(folder, network.network, folder.recipe())


def test_a_method_with_a_path_is_told_that_an_objective_has_none(tmp_path, pictures, caplog):
    once = replace(QUICK, steps=1)
    train(replace(small(), objective=Part("regression")), pictures, tmp_path / "pathless", once)
    assert "gives the same answer at each step of method 'ir-sde'" in caplog.text
    caplog.clear()
    train(small(), pictures, tmp_path / "path", once)
    train(small("regression"), pictures, tmp_path / "once", once)
    assert not caplog.text


def test_both_patches_of_a_pair_are_of_one_place(tmp_path):
    for name, shift in (("clean", 0.0), ("rain", 0.25)):
        (tmp_path / name).mkdir()
        for seed in range(3):
            one = picture(30, 40, seed)
            write(one.with_pixels(one.pixels * 0.5 + shift), tmp_path / name / f"{seed}.png")
    patches = Patches(pairs_in(tmp_path), lambda x, rng: x, size=16)
    for row in range(8):
        x, y = patches.row(3, 0, row)
        assert torch.allclose(y - x, torch.full_like(x, 0.25), atol=2 / 255)


def test_a_folder_without_pictures_and_patches_too_large_are_told(tmp_path, pictures):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BadPicture, match="holds no pictures"):
        pictures_in(empty)
    with pytest.raises(BadPicture, match="is not a folder"):
        pictures_in(tmp_path / "nowhere")
    with pytest.raises(BadOption, match="smaller --patch"):
        Patches(pairs_in(pictures), lambda x, rng: x, size=64)


def test_pictures_held_out_are_never_trained_on():
    pairs = [Pair(clean=Path(f"{index}.png")) for index in range(20)]
    training, held_out = split(pairs, 5, seed=0)
    assert len(held_out) == 5
    assert {pair.clean for pair in training} | {pair.clean for pair in held_out} == {pair.clean for pair in pairs}
    assert not {pair.clean for pair in training} & {pair.clean for pair in held_out}
    assert len(split(pairs[:3], 8, seed=0)[1]) == 1
