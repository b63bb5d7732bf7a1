"""What a training is judged by is never what it learns from, and one picture does not hide the others."""

from __future__ import annotations

import json
import logging
import shutil
import tarfile
from pathlib import Path

import pytest
import torch
from small import SMALL, picture

from restoration.errors import BadOption
from restoration.images import pairs_in, write
from restoration.images.folders import Pair
from restoration.picture import Picture
from restoration.recipe import default_recipe, with_options
from restoration.training.apart import learnt_from
from restoration.training.loop import train
from restoration.training.settings import Training
from restoration.training.validation import HIGHEST, Validation
from restoration.weights import CONFIG


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for seed in range(4):
        write(picture(24, 24, seed), folder / f"{seed}.png")
    return folder


def test_copies_of_pictures_for_validation_are_not_learned_from(data: Path, tmp_path: Path, caplog) -> None:
    shutil.copy(data / "2.png", data / "another name.png")
    judge = tmp_path / "large.tif"
    for level, one in ((7, judge), (7, data / "0.tif"), (8, data / "1.tif")):
        one.write_bytes(bytes([level]) * 10_000)
    judges = [Pair(clean=data / "2.png"), Pair(clean=judge)]
    with caplog.at_level(logging.WARNING):
        left = learnt_from(pairs_in(data), judges)
    assert [pair.clean.name for pair in left] == ["0.png", "1.png", "1.tif", "3.png"]
    assert "3 of 7 pictures are copies of those for validation, and are not learned from" in caplog.text
    with tarfile.open(tmp_path / "shard.tar", "w") as shard:
        for name in ("0.png", "1.png"):
            shard.add(data / name, name)
    members = pairs_in(tmp_path / "shard.tar")
    assert [pair.clean.name for pair in learnt_from(members, [Pair(clean=data / "3.png")])] == ["0.png", "1.png"]
    assert [pair.clean.name for pair in learnt_from(members, [Pair(clean=data / "1.png")])] == ["0.png"]
    with pytest.raises(BadOption, match="all pictures to learn from are those for validation too"):
        learnt_from(members, pairs_in(data))


def test_a_folder_for_validation_inside_of_the_data_is_none_of_it(data: Path, tmp_path: Path) -> None:
    (data / "val").mkdir()
    shutil.move(data / "0.png", data / "val")
    recipe = with_options(default_recipe("regression", "derain"), {f"network.{key}": SMALL[key] for key in SMALL})
    settings = Training(steps=1, batch=1, patch=16)
    train(recipe, data, tmp_path / "out", settings, validation=data / "val")
    record = json.loads((tmp_path / "out" / CONFIG).read_text())["training"]
    assert record["pictures"] == 3 and record["validation"]["pictures"] == 1


def test_a_picture_that_is_restored_exactly_does_not_end_the_search_for_the_best(tmp_path: Path) -> None:
    pairs = []
    for name, level in (("clean", 0.5), ("degraded", 0.0)):
        for number in range(2):
            (tmp_path / name).mkdir(exist_ok=True)
            write(Picture(pixels=torch.full((1, 3, 16, 16), level * number)), tmp_path / name / f"{number}.png")
    pairs = pairs_in(tmp_path)  # black and black, grey and black
    validation, network = Validation(pairs, lambda x, rng: x, channels=3), torch.nn.Linear(1, 1)
    for step, gain in enumerate((0.1, 0.2, 0.4)):
        validation(lambda seen, gain=gain: seen.y + gain * (seen is validation.pictures[1][1]), network, step)
    assert validation.best is not None and validation.best.step == 2
    assert HIGHEST / 2 < validation.best.psnr < HIGHEST
