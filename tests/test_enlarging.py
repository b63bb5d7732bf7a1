"""A network that enlarges is trained and used with the small picture, by every scale of its task."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from forking import Run
from restoration_regression.regression import DirectMatching

from restoration import BadOption, Observation, Restoration, RowGenerators, Training, psnr, read, train, write
from restoration.images.folders import pairs_in
from restoration.operators import enlarge
from restoration.recipe import Recipe, default_recipe, with_options
from restoration.tasks import make_task
from restoration.training.enlarging import Enlarging
from restoration.training.patches import Patches
from restoration.training.settings import Augmentation

CLEAN = Path(__file__).parent.parent / "examples" / "derain" / "clean"
SMALL = {"network.width": 8, "network.blocks": 1}


def recipe(scale: int | list[int]) -> Recipe:
    options = {**SMALL, "task.scale": scale}
    return with_options(default_recipe("regression", "sr"), options, parts={"network": "sr-dense"})


def patches(folder: Path, scale: int | list[int], **how: object) -> Patches:
    known = recipe(scale)
    enlarging = Enlarging(known, 24, Augmentation())
    return Patches(pairs_in(folder), make_task("sr", {"scale": scale}), size=24, enlarging=enlarging, **how)  # type: ignore[arg-type]


def training(**how: object) -> Training:
    usual = {"steps": 4, "batch": 2, "patch": 24, "held_out": 1, "validate_every": 4, "workers": 0, "shrink": 0.0}
    return Training(**{**usual, **how})  # type: ignore[arg-type]


def test_a_step_has_one_scale_and_all_scales_have_steps() -> None:
    drawn = patches(CLEAN, [2, 3, 4])
    sizes = set()
    for step in range(12):
        rows = [drawn.row(0, step, row) for row in range(3)]
        assert all(x.shape == (3, 24, 24) for x, _ in rows)
        sides = {y.shape for _, y in rows}
        assert len(sides) == 1, "the patches of a step do not make a batch"
        sizes.add(sides.pop()[-1])
    assert sizes == {12, 8, 6}


def test_the_small_patch_is_what_the_task_makes_of_the_clean_one() -> None:
    x, y = patches(CLEAN, 3).row(5, 1, 0)
    again, same = patches(CLEAN, 3).row(5, 1, 0)
    assert torch.equal(x, again) and torch.equal(y, same)
    seen = make_task("sr", {"scale": 3}).observe(x[None], torch.Generator())  # type: ignore[attr-defined]
    assert torch.equal(seen.measured[0], y)


def test_pairs_of_small_files_give_windows_that_belong_together(tmp_path: Path) -> None:
    for part in ("HR", "LR"):
        (tmp_path / part).mkdir()
    task = make_task("sr", {"scale": 4})
    picture = read(CLEAN / "hopper.png")
    pixels = picture.pixels[..., :80, :120]
    measured = task.observe(pixels, torch.Generator()).measured  # type: ignore[attr-defined]
    write(picture.with_pixels(pixels), tmp_path / "HR" / "a.png")
    write(picture.with_pixels(measured), tmp_path / "LR" / "a.png")
    drawn = patches(tmp_path, 4)
    for row in range(8):
        x, y = drawn.row(0, 0, row)
        assert (x.shape, y.shape) == ((3, 24, 24), (3, 6, 6))
        inside = enlarge(y[None], 4)[..., 8:-8, 8:-8]
        whole = enlarge(task.observe(x[None], torch.Generator()).measured, 4)[..., 8:-8, 8:-8]  # type: ignore[attr-defined]
        assert psnr(inside, whole) > 35, "the small window shows another part of the picture"


def test_pairs_of_one_size_are_refused(tmp_path: Path) -> None:
    for part in ("clean", "degraded"):
        (tmp_path / part).mkdir()
        write(read(CLEAN / "hopper.png"), tmp_path / part / "a.png")
    with pytest.raises(BadOption, match=r"a.png is as large as the clean picture: the network enlarges small ones"):
        patches(tmp_path, 4).row(0, 0, 0)


def test_patches_that_a_scale_does_not_divide_and_undamaged_ones_are_refused() -> None:
    with pytest.raises(BadOption, match=r"the scales 2, 3, 4, which are learned in turn; use --patch 36$"):
        Enlarging(recipe([2, 3, 4]), 32, Augmentation())
    with pytest.raises(BadOption, match=r"a patch of 32 pixels is no multiple of the scale 3; use --patch 33$"):
        Enlarging(recipe(3), 32, Augmentation())
    with pytest.raises(BadOption, match="--undamaged: to a network that enlarges, no picture is undamaged"):
        Enlarging(recipe(2), 32, Augmentation(undamaged=0.1))


def test_the_loss_is_that_of_the_enlarged_picture() -> None:
    y = torch.rand(2, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    x = enlarge(y, 3)[..., :14, :]
    rows = RowGenerators.keyed(0, rows=range(2))
    bicubic = DirectMatching().loss(lambda x, y, t: x, None, x, y, rows)  # type: ignore[arg-type]
    assert float(bicubic.max()) < 1e-6
    lighter = DirectMatching().loss(lambda x, y, t: x + 0.25, None, x, y, rows)  # type: ignore[arg-type]
    torch.testing.assert_close(lighter, torch.full((2,), 0.25))


def test_a_training_learns_to_enlarge_by_every_scale(tmp_path: Path) -> None:
    how = training(steps=120, batch=4, lr=4e-3, ema=0.9, validate_every=120, precision="fp32")
    half = train(recipe([2, 4]), CLEAN, tmp_path / "weights", how).path
    x = read(CLEAN / "hopper.png").pixels[..., :96, :96]
    for scale in (2, 4):
        seen = make_task("sr", {"scale": scale}).observe(x, torch.Generator())  # type: ignore[attr-defined]
        found = Restoration("regression", "sr", weights=str(half), precision="fp32", task_options={"scale": scale})(
            seen
        )
        assert psnr(found.picture.pixels, x) > psnr(seen.y, x) + 0.1


def test_what_was_trained_serves_the_command_line(restore: Run, tmp_path: Path) -> None:
    out, source = tmp_path / "weights", tmp_path / "small.png"
    write(read(CLEAN / "hopper.png").with_pixels(read(CLEAN / "hopper.png").pixels[..., :40, :50]), source)
    options = [word for key, value in {**SMALL, "task.scale": [2, 3]}.items() for word in ("--set", f"{key}={value}")]
    settings = ["--steps", 3, "--batch", 2, "--patch", 24, "--held-out", 1, "--workers", 0]
    how = ["regression", "-t", "sr", "--network", "sr-dense", "--data", CLEAN, "--out", out]
    done = restore("train", *how, *options, *settings, "-q")
    assert done.returncode == 0, done.stderr
    run = ["run", source, "-m", "regression", "-t", "sr", "--weights", out, "--accept"]
    for scale, more in ((2, ["--ensemble"]), (3, ["--tile", 64])):
        done = restore(*run, "--scale", scale, *more, "-o", tmp_path / f"{scale}.png", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["size"] == [50 * scale, 40 * scale]
    refused = restore(*run, "--scale", 4, "-o", tmp_path / "4.png")
    assert refused.returncode == 2 and "was trained to enlarge 2, 3 times, not 4" in refused.stderr


def test_without_a_small_picture_there_is_one_line(tmp_path: Path) -> None:
    folder = train(recipe(2), CLEAN, tmp_path / "weights", training(steps=1, validate_every=1))
    restoration = Restoration("regression", "sr", weights=str(folder.path))
    with pytest.raises(BadOption, match="its network enlarges small pictures, and this one is none"):
        restoration(Observation(y=torch.rand(1, 3, 8, 8)))


def test_scores_of_pictures_that_the_scale_does_not_divide(tmp_path: Path) -> None:
    folder = train(recipe([3]), CLEAN, tmp_path / "weights", training(steps=1, validate_every=1))
    x = read(CLEAN / "hopper.png").pixels[..., :41, :52]
    seen = make_task("sr", {"scale": 3}).observe(x, torch.Generator())  # type: ignore[attr-defined]
    for ensemble in (False, True):
        found = Restoration("regression", "sr", weights=str(folder.path), ensemble=ensemble)(seen)
        assert found.picture.pixels.shape == x.shape
        assert psnr(found.picture.pixels, x) > 20
