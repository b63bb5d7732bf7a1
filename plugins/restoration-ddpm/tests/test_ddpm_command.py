"""`restore train ddpm` and `restore sample`: from small pictures to weights, and from weights to new pictures."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from forking import Run, commands
from official_ddpm import diffusion
from safetensors.torch import save_file

from restoration import read
from restoration.recipe import default_recipe
from restoration.testing import CommandContract
from restoration.weights import resolve

TINY = ("--set", "network.width=8", "--set", "network.multipliers=[1,2]", "--set", "method.steps=4")


class TestSample(CommandContract):
    name = "sample"


@pytest.fixture(scope="module")
def restore() -> Iterator[Run]:
    with commands() as run:
        yield run


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty pictures of 12x12, dark with a bright square, in an IDX file."""
    folder = tmp_path_factory.mktemp("digits")
    pixels = torch.zeros(40, 12, 12, dtype=torch.uint8)
    pixels[:, 3:9, 3:9] = 255
    head = bytes([0, 0, 8, 3]) + b"".join(size.to_bytes(4) for size in pixels.shape)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + pixels.numpy().tobytes()))
    return folder


@pytest.fixture(scope="module")
def weights(restore: Run, digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "weights"
    arguments = ("train", "ddpm", "--data", digits, "--out", out, "--steps", 60, "--batch", 16, "--workers", 0, *TINY)
    done = restore(*arguments, "--lr", "3e-3", "--ema", "0.9", "--threads", 1, "--log-every", 10)
    assert done.returncode == 0, done.stderr
    assert "patches of 12x12, grey" in done.stderr
    return out


def test_channels_and_size_follow_from_the_pictures_and_the_loss_falls(weights: Path) -> None:
    folder = resolve(str(weights), "ddpm", "denoise")
    assert folder is not None
    recipe = folder.recipe()
    assert (recipe.channels, recipe.training["patch"], recipe.task.name) == ("y", 12, "denoise")
    assert recipe.training["turns"] == "none"
    losses = [json.loads(line)["loss"] for line in (weights / "log.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.8 * losses[0]


def test_a_recipe_that_saw_no_pictures_is_fitted_to_them_too(restore: Run, digits: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(default_recipe("ddpm", "denoise").to_json())
    how = ("--recipe", tmp_path / "recipe.json", "--steps", 1, "--batch", 1, "--workers", 0, *TINY)
    done = restore("train", "ddpm", "--data", digits, "--out", tmp_path / "out", *how)
    assert "patches of 12x12, grey" in done.stderr, done.stderr


def test_a_seed_draws_the_same_pictures_on_a_sheet_and_in_a_folder(restore: Run, weights: Path, tmp_path: Path) -> None:
    how = ("sample", "--weights", weights, "--precision", "fp32", "--threads", 1, "--seed", 5)
    done = restore(*how, "-n", 4, "-o", tmp_path / "sheet.png", "--json")
    facts = json.loads(done.stdout)
    assert (facts["pictures"], facts["size"], facts["steps"], facts["sampler"]) == (4, [12, 12], 4, "ddim")
    done = restore(*how, "-n", 3, "-o", tmp_path / "single/", "--batch", 2)
    paths = [tmp_path / "single" / f"{place:06}.png" for place in range(3)]
    assert done.stdout.splitlines() == [str(path) for path in paths]
    sheet = read(tmp_path / "sheet.png").pixels
    assert sheet.shape == (1, 1, 26, 26)
    corners = [sheet[..., :12, :12], sheet[..., :12, 14:], sheet[..., 14:, :12]]
    for path, corner in zip(paths, corners, strict=True):
        assert float((read(path).pixels - corner).abs().max()) <= 1.001 / 255
    other = restore(*how[:-1], 6, "-n", 4, "-o", tmp_path / "other.png")
    assert other.returncode == 0 and not torch.equal(read(tmp_path / "other.png").pixels, sheet)


def test_other_samplers_sizes_and_enlargements_are_options(restore: Run, weights: Path, tmp_path: Path) -> None:
    done = restore(
        *("sample", "--weights", weights, "-n", 2, "-o", tmp_path / "wide.png", "--size", "20x15", "--columns", 1),
        *("--zoom", 2, "--steps", 3, "--sampler", "posterior", "--set", "clip=false", "--json"),
    )
    assert json.loads(done.stdout)["sampler"] == "posterior", done.stderr
    assert read(tmp_path / "wide.png").pixels.shape == (1, 1, 2 * 30 + 2, 40)


def test_a_noisy_picture_is_denoised_by_the_same_weights_with_and_without_deep_image_prior(
    restore: Run, weights: Path, digits: Path, tmp_path: Path
) -> None:
    restore("sample", "--weights", weights, "-n", 1, "-o", tmp_path / "noisy.png")
    how = ("-t", "denoise", "--weights", weights, "--sigma", 25, "--threads", 1, tmp_path / "noisy.png")
    for options in (("-m", "ddpm"), ("-m", "ddpm-dip", "--renoise", 0.5, "--set", "dip_steps=2")):
        done = restore("run", *options, *how, "-o", tmp_path / f"{options[1]}.png", "--json", "--accept")
        assert done.returncode == 0, done.stderr
        assert read(tmp_path / f"{options[1]}.png").pixels.shape == (1, 1, 12, 12)


def test_a_file_of_published_code_draws(restore: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTORE_CACHE", str(tmp_path / "cache"))
    save_file(diffusion("sigmoid", "pred_v"), tmp_path / "net.safetensors")
    how = ("--weights", tmp_path / "net.safetensors", "--steps", 2, "--threads", 1)
    done = restore("sample", *how, "-n", 2, "-o", tmp_path / "drawn/", "--json")
    facts = json.loads(done.stdout)
    assert (facts["size"], facts["steps"], facts["sampler"]) == ([32, 32], 2, "ddim"), done.stderr
    assert read(tmp_path / "drawn" / "000001.png").pixels.shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--weights", "ir-sde/derain", "-o", "a.png"), "draws no pictures"),
        (("-o", "a.xyz"), "cannot write a.xyz; use one of .png"),
        (("-o", "none/a.png"), "none is not a folder; make it first"),
        (("-o", "a.png", "--size", "0x3"), "'0x3' is not a size such as 28x28"),
        (("-o", "a.png", "--sampler", "ddmi"), "did you mean 'ddim'"),
        (("-o", "a.png", "--set", "network.width=16"), "are those of its weights"),
    ],
)
def test_what_does_not_fit_is_one_line_and_nothing_is_written(
    restore: Run, weights: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    given = () if "--weights" in arguments else ("--weights", weights)
    done = restore("sample", "-n", 1, *given, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_replaced_only_if_that_is_wanted(restore: Run, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("mine")
    how = ("sample", "--weights", weights, "-n", 1, "-o", tmp_path / "a.png")
    refused = restore(*how)
    assert refused.returncode == 2 and "a.png exists; --overwrite replaces it" in refused.stderr
    assert (tmp_path / "a.png").read_text() == "mine"
    assert restore(*how, "--overwrite").returncode == 0
    assert read(tmp_path / "a.png").pixels.shape == (1, 1, 12, 12)


def test_the_task_need_not_be_said_where_there_is_one_alone(restore: Run, digits: Path, tmp_path: Path) -> None:
    done = restore("train", "ir-sde", "--data", digits, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "Missing option '-t' / '--task'" in done.stderr and "`restore tasks` lists what there is" in done.stderr
    done = restore("train", "dip", "--data", digits, "--out", tmp_path / "out")
    assert "one of denoise, inpaint, sr, jpeg, deblur" in done.stderr
