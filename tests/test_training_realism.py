"""Training of weights that draw: which of them are kept, and what their recipe and their model card say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import load_file
from small import SMALL, make_weights, picture

from restoration import Picture, Restoration
from restoration.errors import BadOption
from restoration.randomness import RowGenerators
from restoration.realism import choose
from restoration.recipe import Part, Recipe, build_parts, default_recipe, required
from restoration.training import checkpoint
from restoration.training.loop import train
from restoration.training.parallel import Processes
from restoration.training.records import CHECKPOINT, read_log
from restoration.training.settings import Training
from restoration.training.trainer import Trainer
from restoration.weights import CARD, MODEL, Folder, save

WORSE = Training(
    steps=4, batch=2, patch=16, held_out=1, validate_every=1, checkpoint_every=1, precision="fp32", lr=0.2, ema=0.0
)
"""A training whose network gets worse after its first step."""


@pytest.fixture
def recipe() -> Recipe:
    return replace(default_recipe("regression", "denoise"), network=Part("nafnet-compact", SMALL))


def last_average(out: Path) -> dict[str, torch.Tensor]:
    state = checkpoint.load((out / CHECKPOINT).read_bytes(), out)["trainer"]
    return {name.removeprefix("network."): value.half() for name, value in state["average"].items()}


def is_last(out: Path) -> bool:
    kept = load_file(out / MODEL)
    return all(torch.equal(kept[name], value) for name, value in last_average(out).items())


def test_the_best_or_the_last_average_is_kept_and_the_record_says_which(pictures, tmp_path, recipe):
    records = {}
    for keep in ("best", "last"):
        out = tmp_path / keep
        records[keep] = train(recipe, pictures, out, replace(WORSE, keep=keep)).recipe().training
        psnr = {line["step"]: line["psnr_rgb"] for line in read_log(out) if "psnr_rgb" in line}
        best = max(psnr, key=psnr.get)
        assert best < 4, "it must get worse, or this says nothing"
        assert is_last(out) is (keep == "last")
        validation = records[keep]["validation"]
        assert validation["step"] == (best if keep == "best" else 4)
        assert validation["psnr_rgb"] == pytest.approx(psnr[validation["step"]], abs=0.006)
    assert {keep: record["keep"] for keep, record in records.items()} == {"best": "best", "last": "last"}
    assert "These are the last weights, those after step 4" in (tmp_path / "last" / CARD).read_text()
    assert "These are the best weights of all validations" in (tmp_path / "best" / CARD).read_text()


def test_a_training_may_change_its_mind_on_the_way_and_the_record_says_so(pictures, tmp_path, recipe):
    out = tmp_path / "out"
    train(recipe, pictures, out, WORSE)
    record = train(recipe, pictures, out, replace(WORSE, steps=5, keep="last")).recipe().training
    assert is_last(out)
    assert record["keep"] == "last" and record["changes"][0]["keep"] == "best"
    old = {name: value for name, value in WORSE.record().items() if name != "keep"}
    assert Training.recorded(old).keep == "best" and WORSE.changes_from(old) == {}
    with pytest.raises(ValueError, match="keep must be one of best, last, not 'first'"):
        Training(keep="first")


def test_an_interrupted_training_goes_on_to_the_same_weights(pictures, tmp_path, recipe):
    settings = replace(WORSE, keep="last")

    def stop(progress):
        if progress.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, pictures, tmp_path / "cut", settings, observe=stop)
    for name in ("cut", "whole"):
        train(recipe, pictures, tmp_path / name, settings)
    cut, whole = (load_file(tmp_path / name / MODEL) for name in ("cut", "whole"))
    assert all(torch.equal(cut[name], value) for name, value in whole.items())


def test_a_path_from_the_mean_is_trained_from_what_its_weights_answer(pictures, tmp_path):
    out = tmp_path / "real"
    make_weights(out / "mean", "regression")
    recipe = replace(default_recipe("ir-sde", "derain"), network=Part("nafnet-compact", SMALL), realism=0.5)
    recipe = replace(recipe, mean="./mean", from_mean=True)
    folder = train(recipe, pictures, out, replace(WORSE, steps=2, lr=1e-3, keep="last"))
    assert folder.recipe().from_mean and "begin at that mean" in (out / CARD).read_text()
    y = picture().pixels
    answer = Restoration("ir-sde", "derain", weights=str(out), realism=0.0, precision="fp32")(Picture(pixels=y))
    trainer = Trainer(recipe, WORSE, Processes(device=torch.device("cpu")), out)
    torch.testing.assert_close(trainer.means(y), answer.picture.pixels, rtol=0, atol=1e-5)
    assert not torch.allclose(answer.picture.pixels, y, atol=1e-3)
    plain = Trainer(replace(recipe, from_mean=False), WORSE, Processes(device=torch.device("cpu")), out)
    assert plain.means(y) is None
    losses = []
    for each in (trainer, plain):  # the loss of a step is that of the path which leads to the mean
        torch.manual_seed(0)
        with torch.no_grad():  # a network that was not trained answers with what it is shown, whatever the path
            for parameter in each.network.parameters():
                parameter.add_(0.02 * torch.randn(parameter.shape))
        losses.append(each.batch_loss(0 * y, y, RowGenerators.keyed("loss", rows=[0]), each.means(y)).item())
        each.advance(0 * y, y, RowGenerators.keyed("loss", rows=[0]))
        assert each.checked_loss() == pytest.approx(losses[-1] / WORSE.batch, rel=1e-4)
    assert losses[0] != pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize(
    ("method", "given", "why"),
    [
        ("ir-sde", (), "--from-mean is of weights that draw; say their --realism too"),
        ("regression", ("--realism", "0.5"), "is for methods that draw; regression does not"),
        (
            "denoising-ode",
            ("--realism", "0.5"),
            "leads to noise alone, not to a picture",
        ),
    ],
)
def test_a_path_from_the_mean_is_for_weights_that_draw(restore, pictures, tmp_path, method, given, why):
    out = tmp_path / "out"
    task = "denoise" if method == "denoising-ode" else "derain"
    ran = restore("train", method, "--task", task, "--data", pictures, "--out", out, "--from-mean", *given)
    assert ran.returncode == 2 and why in ran.stderr and not out.exists()


def test_a_mean_that_enlarges_small_pictures_has_no_answer_to_patches(pictures, tmp_path):
    recipe = replace(default_recipe("ir-sde", "sr"), network=Part("nafnet-compact", SMALL), realism=0.5)
    small = replace(default_recipe("regression", "sr"), network=Part("sr-dense", {"width": 4, "blocks": 1}))
    built = build_parts(small).network
    save(tmp_path / "out" / "mean", small, built.network, "# small\n")
    recipe = replace(recipe, mean="./mean", from_mean=True)
    with pytest.raises(BadOption, match="has no answer to patches"):
        train(recipe, pictures, tmp_path / "out", replace(WORSE, patch=24))


def test_weights_that_draw_are_trained_and_used_as_their_recipe_says(restore, pictures, tmp_path):
    how = ("--task", "derain", "--data", pictures, "--out", tmp_path / "real", "--set", "network.width=8")
    how += ("--set", "network.encoder=[1]", "--set", "network.decoder=[1]", "--set", "objective.norm=l2")
    how += ("--set", "objective.rectification=0", "--sampler", "posterior", "--set", "method.steps=2", "--keep", "last")
    how += ("--steps", 2, "--batch", 2, "--patch", 16, "--held-out", 1, "--workers", 0)
    refused = restore("train", "ir-sde", *how, "--mean", "regression/derain")
    assert refused.returncode == 2 and "say their --realism too" in refused.stderr
    assert restore("train", "ir-sde", *how, "--realism", 0.5, "--mean", "regression/derain").returncode == 0
    recipe = Folder(path=tmp_path / "real", origin="").recipe()
    assert (recipe.realism, recipe.mean, recipe.training["keep"]) == (0.5, "regression/derain", "last")
    assert any(one.startswith("restoration-regression") for one in recipe.requires)
    text = (tmp_path / "real" / CARD).read_text()
    assert "## Realism" in text and "Detail that is drawn is invented" in text
    chosen = choose("ir-sde", "derain", weights=str(tmp_path / "real"))
    assert chosen.mean is not None and (chosen.realism, chosen.mean.origin) == (0.5, "regression/derain")
    assert restore("train", "ir-sde", *how, "--realism", 0.25).returncode == 0, "what is finished gets another default"
    assert json.loads((tmp_path / "real" / "config.json").read_text())["realism"] == 0.25
    wrong = restore("train", "regression", *how[:4], "--out", tmp_path / "other", "--realism", 0.5)
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1)
    assert "--realism is for methods that draw; regression does not" in wrong.stderr


def test_what_a_recipe_requires_has_the_plugin_of_its_mean():
    plain = default_recipe("ir-sde", "derain")
    assert {one.partition(">=")[0] for one in required(replace(plain, realism=0.5))} - {
        one.partition(">=")[0] for one in required(plain)
    } == {"restoration-regression"}
    with pytest.raises(BadOption, match="method 'regression' has no --realism"):
        choose("regression", "derain", realism=0)


@pytest.mark.parametrize(
    ("task", "mean", "why"),
    [
        ("derain", "./mean", "mean: there is no such folder, with the weights of the mean; put them there"),
        ("derain", "regression/denoise", "is for denoise, not derain"),
        ("corruption", None, "train some: `restore train regression --task corruption"),
    ],
)
def test_weights_of_the_mean_that_nobody_could_use_are_refused_before_the_training(
    restore, pictures, tmp_path, task, mean, why
):
    out = tmp_path / "out"
    how = ("--task", task, "--data", pictures, "--out", out, "--realism", "0.5", "--steps", 1, "--held-out", 0)
    ran = restore("train", "ir-sde", *how, *(("--mean", mean) if mean else ()))
    assert ran.returncode == 2 and why in ran.stderr.splitlines()[-1]
    assert not (out / MODEL).exists()
    assert "note: this is the objective of weights of ir-sde that do not draw; those that do" in ran.stderr


def test_a_mean_beside_the_weights_is_verified_and_not_left_behind(restore, tmp_path):
    real = make_weights(tmp_path / "real", realism=0.5, mean="./mean")
    lost = restore("weights", "verify", real)
    assert lost.returncode == 1 and "there is no such folder, with the weights of the mean" in lost.stderr
    make_weights(real / "mean", "regression")
    assert restore("weights", "verify", real).returncode == 0
    pushed = restore("weights", "push", real, "owner/name", "--license", "mit")
    assert pushed.returncode == 2 and "./mean, would not be pushed with it" in pushed.stderr
