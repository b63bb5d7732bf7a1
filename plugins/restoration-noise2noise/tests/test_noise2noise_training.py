"""`restore train` without clean pictures: pairs, bursts, noisy pictures alone; and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from forking import Run, commands
from together import trainer_and_batches
from torch import Tensor

from restoration import Part, Picture, Recipe, Restoration, Training, psnr, read, train, write
from restoration.images.folders import Pair
from restoration.tasks import make_task
from restoration.testing import scene
from restoration.training.outcome import Progress
from restoration.training.patches import Patches

SMALL = ("--network", "unet", "--set", "network.width=6", "--set", "network.depth=1", "--task", "denoise")
QUICK = (
    "--device",
    "cpu",
    "--threads",
    "1",
    "--workers",
    "0",
    "--batch",
    "4",
    "--patch",
    "16",
    "--held-out",
    "1",
    "-q",
)


@pytest.fixture(scope="module")
def restore() -> Iterator[Run]:
    with commands() as run:
        yield run


def with_noise(x: Tensor, seed: int) -> Tensor:
    return (x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))).clamp(0, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Clean pictures, two folders of noisy ones of them, and bursts, a folder a scene."""
    for number in range(4):
        x = scene(32, 40, number)
        places = {"clean": x, "one": with_noise(x, 2 * number), "two": with_noise(x, 2 * number + 1)}
        places |= {f"bursts/{number}/{shot}": with_noise(x, 100 + 10 * number + shot) for shot in range(3)}
        for place, pixels in places.items():
            path = tmp_path / (f"{place}/{number}.png" if "/" not in place else f"{place}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            write(Picture(pixels=pixels), path)
    return tmp_path


def record(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "out" / "config.json").read_text())["training"]
    return found


class Stop(Exception):
    """Ends a training where it is."""


@pytest.mark.parametrize("objective", [{"norm": "l0"}, {"norm": "l2", "hue": 20.0}])
def test_a_training_goes_on_to_the_same_bytes_and_validates_with_clean_pictures(
    folder: Path, objective: dict[str, object]
) -> None:
    recipe = Recipe(
        method=Part("noise2noise"),
        task=Part("denoise", {"sigma": 25}),
        network=Part("unet", {"width": 6, "depth": 1}),
        objective=Part("noise2noise", objective),
    )
    settings = Training(steps=6, batch=2, patch=16, held_out=1, validate_every=3, checkpoint_every=2, precision="fp32")

    def stop(progress: Progress) -> None:
        if progress.step == 5:
            raise Stop

    train(recipe, folder / "clean", folder / "whole", settings)
    with pytest.raises(Stop):
        train(recipe, folder / "clean", folder / "out", settings, observe=stop)
    train(recipe, folder / "clean", folder / "out", settings)
    whole, broken = ((folder / name / "model.safetensors").read_bytes() for name in ("whole", "out"))
    assert whole == broken
    assert record(folder)["validation"]["pictures"] == 1  # type: ignore[index]
    assert "validation_against" not in record(folder)


def test_the_two_pictures_of_a_row_are_the_same_patch_with_noise_that_is_independent(folder: Path) -> None:
    pairs = [Pair(clean=path) for path in sorted((folder / "clean").iterdir())]
    rows = {
        kind: [
            Patches(pairs, make_task("denoise", {"sigma": 25.0}), size=24, learns_from=kind).row(0, 1, row)
            for row in range(40)
        ]
        for kind in ("clean", "pairs", "degraded")
    }
    clean = torch.stack([x for x, _ in rows["clean"]])
    first, second = (torch.stack([row[side] for row in rows["pairs"]]) - clean for side in (0, 1))
    assert all(torch.equal(one, two) for (_, one), (_, two) in zip(rows["clean"], rows["pairs"], strict=True))
    for noise in (first, second):
        assert abs(float(noise.std()) * 255 - 25) < 0.5
    assert abs(float((first * second).mean() / (first.std() * second.std()))) < 0.02
    assert all(torch.equal(x, y) for x, y in rows["degraded"])
    alone = Patches(pairs, make_task("denoise"), size=24, learns_from="degraded", noisy=True)
    assert any(torch.equal(alone.row(0, 1, row)[1], clean[row]) for row in range(40))
    assert alone.fingerprint() != Patches(pairs, make_task("denoise"), size=24).fingerprint()


def test_a_small_network_learns_to_denoise_from_noisy_pairs_alone(restore: Run, folder: Path) -> None:
    how = ("--lr", "0.01", "--steps", "150", "--ema", "0.9", "--validation", "clean", "--set", "task.sigma=25")
    done = restore(
        "train", "noise2noise", *SMALL, *QUICK[:-3], "-q", *how, "--pairs", "one", "two", "--out", "out", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    restoration, gains = Restoration("noise2noise", "denoise", weights=str(folder / "out")), []
    for number in range(4):
        x, y = (read(folder / place / f"{number}.png").pixels for place in ("clean", "one"))
        gains.append(psnr(restoration(Picture(pixels=y)).picture.pixels, x) - psnr(y, x))
    assert sum(gains) / 4 > 0.7, gains


def test_pairs_and_bursts_are_validated_against_noisy_pictures_and_a_scene_is_held_out_whole(
    restore: Run, folder: Path
) -> None:
    for number, door in enumerate((("--pairs", "one", "two"), ("--noisy", "bursts"))):
        done = restore("train", "noise2noise", *SMALL, *QUICK, "--steps", "1", *door, "--out", "out", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert record(folder)["validation_against"] == "noisy pictures"
        assert record(folder)["pictures"] == (3, 9)[number]
        (folder / "out").rename(folder / f"done{number}")


def test_neighbours_need_one_folder_and_no_validation(restore: Run, folder: Path) -> None:
    how = ("train", "noise2noise", *SMALL, *QUICK, "--objective", "neighbor2neighbor", "--steps", "2", "--out", "out")
    done = restore(*how, "--noisy", "one", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "validation" not in record(folder)
    assert record(folder)["pictures"] == 4
    assert (
        restore(
            "run", "one/0.png", "-m", "noise2noise", "-t", "denoise", "--weights", "out", "--accept", cwd=folder
        ).returncode
        == 0
    )


REFUSED = {
    ("noise2noise", "--clean", "clean", "--degraded", "one"): "learns from noisy pictures alone",
    ("regression", "--pairs", "one", "two"): "objective 'regression' learns from clean pictures",
    ("regression", "--noisy", "one"): "objective 'regression' learns from clean pictures",
    ("noise2noise", "--noisy", "one"): "is a folder with all noisy pictures of it",
    ("noise2noise", "--pairs", "one", "two", "--objective", "neighbor2neighbor"): "needs no pairs",
    ("noise2noise", "--data", "clean", "--noisy", "one"): "name a folder of pictures with --data",
    ("noise2noise", "--data", "clean", "--undamaged", "0.1"): "sees no clean picture",
    ("noise2noise", "--noisy", "bursts", "--recolour", "0.5"): "--recolour: for pictures that the task degrades",
    ("noise2noise", "--pairs", "one", "two", "--set", "task.sigma=25"): "these are noisy already, so leave it out",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_pictures_that_an_objective_cannot_learn_from_are_refused_in_one_line(
    restore: Run, folder: Path, words: tuple[str, ...]
) -> None:
    done = restore("train", *words, *SMALL, *QUICK, "--steps", "1", "--out", "out", cwd=folder)
    assert done.returncode == 2
    assert REFUSED[words] in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "out" / "config.json").exists()


def test_an_objective_is_told_how_far_the_training_is(folder: Path) -> None:
    recipe = Recipe(
        method=Part("noise2noise"),
        task=Part("denoise"),
        network=Part("unet", {"width": 6, "depth": 1}),
        objective=Part("neighbor2neighbor"),
    )
    trainer, batches = trainer_and_batches(recipe, folder / "clean", Training(steps=4, batch=1, patch=16))
    told = []
    for x, y, rng in batches:
        trainer.advance(x, y, rng)
        told.append(trainer.parts.objective.progress)  # type: ignore[union-attr]
    assert told == [0, 0.25, 0.5, 0.75]
