"""`restore train` with pictures from everywhere: pairs of two folders, small and large ones, shards."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from small import picture

from restoration.images import pairs_in, write
from restoration.picture import Picture
from restoration.tasks import make_task
from restoration.training.batches import DRAWN_SINCE
from restoration.training.validation import Validation

Restore = Callable[..., "CompletedProcess[str]"]
HOW = ("train", "regression", "--network", "dncnn", "--set", "network.width=4", "--set", "network.depth=3", "--quiet")
QUICK = ("--device", "cpu", "--threads", "1", "--steps", "2", "--batch", "2", "--patch", "16", "--held-out", "1")


@pytest.fixture
def train(restore: Restore, tmp_path: Path) -> Callable[..., tuple[str, dict[str, object]]]:
    """Train for two steps; return what was said, and the record of the training."""

    def run(task: str, *arguments: object) -> tuple[str, dict[str, object]]:
        out = tmp_path / "out"
        done = restore(*HOW, *QUICK, "--task", task, "--out", out, *arguments)
        assert done.returncode in (0, 2), done.stderr
        config = out / "config.json"
        return done.stderr, json.loads(config.read_text())["training"] if done.returncode == 0 else {}

    return run


def pairs(folder: Path, clean: str, degraded: str, scale: int = 1) -> None:
    """Write three pairs under names made of templates; the degraded ones `scale` times smaller."""
    task = make_task("sr", {"scale": scale}) if scale > 1 else None
    for number in range(3):
        one = picture(48, 64, number)
        other = one.with_pixels(one.pixels * 0.5)
        if task is not None:
            other = Picture(pixels=task.observe(one.pixels, torch.Generator()).measured)  # type: ignore[attr-defined]
        for name, each in ((clean, one), (degraded, other)):
            path = folder / name.format(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            write(each, path)


def test_two_folders_are_trained_with_by_templates(train: Callable[..., tuple[str, dict]], tmp_path: Path) -> None:
    pairs(tmp_path, "one/{}.png", "two/wet_{}_7_x.png")
    sides = ("--clean", tmp_path / "one", "--degraded", tmp_path / "two")
    said, record = train("derain", *sides, "--degraded-name", "wet_{name}_*")
    assert (said, record["data"], record["pictures"]) == ("", "one", 2)
    assert record["batches"] == DRAWN_SINCE
    said, _ = train("derain", *sides, "--degraded-name", "wet_{name}")
    assert "have no counterpart (3 of 3 clean pictures of" in said and said.count("\n") == 1
    said, _ = train("derain", "--data", tmp_path, "--degraded-name", "wet_{name}")
    assert said == "error: templates of names are for --clean and --degraded; name these folders too\n"
    said, _ = train("derain", *sides, "--clean-name", "x")
    assert "a template of names has {name} once" in said


def test_super_resolution_trains_with_pairs_of_high_and_low_resolution(
    train: Callable[..., tuple[str, dict]], tmp_path: Path
) -> None:
    pairs(tmp_path, "DIV2K_train_HR/{}.png", "DIV2K_train_LR_bicubic/X2/{}x2.png", scale=2)
    said, record = train("sr", "--data", tmp_path, "--set", "task.scale=2")
    assert said == "" and record["pictures"] == 2 and record["validation"]["pictures"] == 1
    said, _ = train("sr", "--data", tmp_path)
    assert said.endswith("2 times smaller; the task enlarges 4 times: --set task.scale=2\n")
    assert said.startswith("error: a pair has different sizes: ") and said.count("\n") == 1


def test_shards_are_trained_with_as_their_pictures_are(train: Callable[..., tuple[str, dict]], tmp_path: Path) -> None:
    pairs(tmp_path, "x/{}.clean.png", "x/{}.degraded.png")
    for number in range(3):
        with tarfile.open(tmp_path / f"{number}.tar", "w") as tar:
            for path in sorted((tmp_path / "x").glob(f"{number}.*")):
                tar.add(path, path.name)
    said, record = train("derain", "--data", tmp_path / "{0..2}.tar", "--workers", "1", "--cache", "1M")
    assert said == "" and record["pictures"] == 2
    said, _ = train("derain", "--data", tmp_path / "{0..3}.tar")
    assert said == f"error: there is no shard {tmp_path / '3.tar'}\n"


def test_a_recipe_of_a_version_that_drew_other_batches_is_followed_with_a_remark(
    restore: Restore, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert restore(*HOW, *QUICK, "-t", "derain", "--data", pictures, "--out", out).returncode == 0
    recipe = json.loads((out / "config.json").read_text())
    recipe["training"]["batches"] = "0.5.0"
    (tmp_path / "old.json").write_text(json.dumps(recipe))
    again = ("train", "regression", "-t", "derain", "--data", pictures, "--device", "cpu", "--out", tmp_path / "again")
    done = restore(*again, "--recipe", tmp_path / "old.json")
    assert done.returncode == 0
    assert "note: the recipe was trained with batches of restoration 0.5.0; those of now are others" in done.stderr
    assert json.loads((tmp_path / "again" / "config.json").read_text())["training"]["batches"] == DRAWN_SINCE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "task.layers=3"), "--set task.layers: for pictures that the task degrades; these are pairs"),
        (("--undamaged", "0.1", "--flat", "0.1"), "--flat, --undamaged: for pictures that the task degrades"),
    ],
)
def test_what_only_damage_of_the_task_has_use_of_is_refused_for_pairs(
    train: Callable[..., tuple[str, dict]], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    pairs(tmp_path / "pairs", "clean/{}.png", "degraded/{}.png")
    told, _ = train("derain", "--data", tmp_path / "pairs", *words)
    assert said in told and not (tmp_path / "out").exists()


def test_pairs_of_equal_pictures_are_remarked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for side in ("clean", "degraded"):
        (tmp_path / side).mkdir()
        write(picture(32, 32), tmp_path / side / "one.png")
    Validation(pairs_in(tmp_path), make_task("derain"), channels=3)
    assert "are equal to the clean ones" in caplog.text
