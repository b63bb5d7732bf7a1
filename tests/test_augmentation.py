"""What clean patches become before the task degrades them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from forking import Run
from small import picture
from torch import Generator, Tensor

from restoration.images import write
from restoration.images.folders import Pair, pairs_in
from restoration.picture import Picture
from restoration.recipe import build_task, default_recipe
from restoration.training.augmentation import LUMA, Changes, curved, flat_like, hue_rotation, recoloured, under_a_sky
from restoration.training.patches import Patches
from restoration.training.settings import AUGMENTATION, Augmentation, Training


def blackened(x: Tensor, rng: Generator) -> Tensor:
    return torch.zeros_like(x)


def test_a_shrunk_patch_shows_twice_as_much_of_the_picture(tmp_path: Path) -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    write(Picture(pixels=ramp), tmp_path / "a.png")
    pairs = pairs_in(tmp_path)
    plain, shrunk = (Patches(pairs, blackened, size=16, augmentation=Augmentation(shrink=share)) for share in (0, 1))

    def extent(patches: Patches, row: int) -> float:
        x = patches.row(0, 0, row)[0]
        return float(x.amax() - x.amin()) * 63

    assert extent(plain, 0) == pytest.approx(15, abs=1)
    assert extent(shrunk, 0) == pytest.approx(30, abs=1)
    assert {round(extent(shrunk, row) / 15) for row in range(20)} == {2}


def test_a_picture_that_is_not_twice_as_large_is_shrunk_as_far_as_it_can_be(tmp_path: Path) -> None:
    write(picture(20, 40), tmp_path / "a.png")
    patches = Patches(pairs_in(tmp_path), blackened, size=16, augmentation=Augmentation(shrink=1))
    assert all(patches.row(0, 0, row)[0].shape == (3, 16, 16) for row in range(10))


def test_undamaged_patches_are_not_degraded_and_the_others_are(tmp_path: Path) -> None:
    write(picture(40, 40), tmp_path / "a.png")
    patches = Patches(pairs_in(tmp_path), blackened, size=16, augmentation=Augmentation(undamaged=0.25))
    rows = [patches.row(0, 0, row) for row in range(200)]
    same = sum(torch.equal(x, y) for x, y in rows)
    assert 30 < same < 70 and all(torch.equal(x, y) or not y.any() for x, y in rows)


def test_what_is_not_asked_for_changes_no_patch(tmp_path: Path) -> None:
    write(picture(40, 40), tmp_path / "a.png")
    none, some = (
        Patches(pairs_in(tmp_path), blackened, size=16, augmentation=Augmentation(recolour=share)) for share in (0, 0.5)
    )
    same = [torch.equal(none.row(0, 0, row)[0], some.row(0, 0, row)[0]) for row in range(60)]
    assert 15 < sum(same) < 45, "a patch that is not recoloured is where it was, whatever is drawn for the others"


def test_pairs_are_left_as_they_are(tmp_path: Path) -> None:
    for name, seed in (("clean", 0), ("degraded", 1)):
        (tmp_path / name).mkdir()
        write(picture(40, 40, seed), tmp_path / name / "a.png")
    pairs = [Pair(clean=tmp_path / "clean/a.png", degraded=tmp_path / "degraded/a.png")]
    everything = Augmentation(shrink=1, recolour=1, curves=1, undamaged=1)
    one, other = (Patches(pairs, blackened, size=16, augmentation=what) for what in (Augmentation(), everything))
    for row in range(8):
        assert all(torch.equal(*both) for both in zip(one.row(0, 0, row), other.row(0, 0, row), strict=True))


def test_a_patch_with_changes_is_a_function_of_seed_step_and_row(tmp_path: Path) -> None:
    for seed in range(3):
        write(picture(48, 40, seed), tmp_path / f"{seed}.png")
    everything = Augmentation(shrink=0.5, recolour=0.5, curves=0.5, undamaged=0.5)
    one, other = (Patches(pairs_in(tmp_path), blackened, size=16, augmentation=everything) for _ in range(2))
    drawn = [one.row(3, step, row) for step in range(3) for row in range(8)]
    again = [other.row(3, step, row) for step in reversed(range(3)) for row in reversed(range(8))]
    assert all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in zip(drawn, again[::-1], strict=True))


def test_grey_stays_grey_when_the_hue_is_turned() -> None:
    grey = torch.rand(1, 9, 9, generator=Generator().manual_seed(0)).expand(3, -1, -1)
    for seed in range(30):
        assert torch.allclose(recoloured(grey, Generator().manual_seed(seed)), grey, atol=1e-5)


def test_a_turned_hue_is_a_rotation_around_grey() -> None:
    third = hue_rotation(2 * math.pi / 3)
    permutation = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert torch.allclose(third, permutation, atol=1e-6), "a third of a turn makes red green"
    turn = hue_rotation(0.4)
    assert torch.allclose(turn @ turn.T, torch.eye(3), atol=1e-6)
    assert torch.allclose(turn @ torch.ones(3), torch.ones(3), atol=1e-6)


def test_recoloured_patches_have_every_order_of_channels_and_stay_in_range() -> None:
    red = torch.tensor([1.0, 0.5, 0.25]).reshape(3, 1, 1).expand(3, 4, 4)
    drawn = [recoloured(red, Generator().manual_seed(seed)) for seed in range(200)]
    assert len({tuple(x[:, 0, 0].argsort().tolist()) for x in drawn}) == 6
    assert min(float(x.min()) for x in drawn) >= 0 and max(float(x.max()) for x in drawn) <= 1


def test_a_curve_keeps_black_and_white_or_exchanges_them() -> None:
    ramp = torch.linspace(0, 1, 12).reshape(1, 1, 12).expand(3, 2, 12)
    falling = 0
    for seed in range(100):
        for channel in curved(ramp, Generator().manual_seed(seed)):
            steps = channel[0].diff()
            assert bool((steps > 0).all()) or bool((steps < 0).all()), "a curve is monotonous"
            assert {float(channel[0, 0]), float(channel[0, -1])} == {0.0, 1.0}
            falling += bool(steps[0] < 0)
    assert 20 < falling < 80


def test_flat_patches_vary_slowly_and_have_every_colour() -> None:
    drawn = [flat_like(torch.rand(3, 24, 32), Generator().manual_seed(seed)) for seed in range(200)]
    assert all(x.shape == (3, 24, 32) and float(x.min()) >= 0 and float(x.max()) <= 1 for x in drawn)
    spread = torch.stack([x.std(dim=(1, 2)).amax() for x in drawn])
    assert float(spread.amax()) < 0.12 and 10 < int((spread < 1e-6).sum()) < 100, "some are one colour"
    means = torch.stack([x.mean(dim=(1, 2)) for x in drawn])
    grey = (means.amax(dim=1) - means.amin(dim=1)) < 0.02
    assert 60 < int(grey.sum()) < 140 and float(means.min()) < 0.1 and float(means.max()) > 0.9


def test_a_sky_lies_above_a_horizon_and_leaves_the_ground_as_it_is() -> None:
    ground = torch.zeros(3, 60, 48)
    drawn = [under_a_sky(ground, Generator().manual_seed(seed)) for seed in range(100)]
    assert all(x.shape == ground.shape and float(x.min()) >= 0 and float(x.max()) <= 1 for x in drawn)
    for x in drawn:
        sky = x.amax(dim=0) > 0.05
        assert bool((sky[1:].int().diff(dim=0) <= 0).all()), "below the ground there is no sky again"
        assert float(x[:, ~sky].amax()) < 0.5, "only a row at the horizon is mixed"
    shares = torch.stack([(x.amax(dim=0) > 0.05).float().mean() for x in drawn])
    assert float(shares.amin()) < 0.25 and float(shares.amax()) > 0.75, "from a strip to nearly all of a patch"
    colours = torch.stack([x[:, 0, 0] for x in drawn if float(x[:, 0].amax()) > 0])
    blueness = colours[:, 2] - colours[:, 0]
    assert int((blueness.abs() < 0.01).sum()) > 25 and int((blueness > 0.1).sum()) > 15


def test_skies_shift_no_draw_of_trainings_without_them() -> None:
    def after(share: float) -> float:
        rng = Generator().manual_seed(3)
        Changes.drawn(Augmentation(skies=share), rng)
        return float(torch.rand((), generator=rng))

    plain = torch.rand(6, generator=Generator().manual_seed(3)).tolist()
    assert after(0) == plain[5] and after(0.5) != plain[5]


def test_a_patch_without_colours_has_the_same_damage_in_all_channels(pictures: Path) -> None:
    task = build_task(default_recipe("regression", "denoise"))
    drawn = {
        share: Patches(pairs_in(pictures), task, size=16, augmentation=Augmentation(grey=share)) for share in (0.0, 1.0)
    }
    for row in range(5):
        (x, y), (coloured, noisy) = (drawn[share].row(0, 0, row) for share in (1.0, 0.0))
        assert torch.equal(x, x[:1].expand(3, -1, -1)) and torch.equal(y, y[:1].expand(3, -1, -1))
        assert not torch.equal(x, y)
        torch.testing.assert_close(x[0], torch.tensordot(torch.tensor(LUMA), coloured, 1))
        assert not torch.equal(noisy, noisy[:1].expand(3, -1, -1))
    grey = Patches(pairs_in(pictures), task, size=16, channels=1, augmentation=Augmentation(grey=1.0))
    assert all(side.shape == (1, 16, 16) for side in grey.row(0, 0, 0)), "what has no colours loses none"


def test_a_grey_patch_is_never_recoloured() -> None:
    grey = torch.rand(1, 8, 8, generator=Generator().manual_seed(0))
    assert torch.equal(Changes(recolour=True).colours(grey, Generator().manual_seed(1)), grey)


@pytest.mark.parametrize("name", AUGMENTATION)
def test_shares_lie_between_0_and_1(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be from 0 to 1"):
        Training(**{name: 1.5})


def test_the_record_names_the_shares_and_a_recipe_from_before_them_has_none(
    pictures: Path, tmp_path: Path, restore: Run
) -> None:
    command = ["train", "regression", "--task", "denoise", "--data", str(pictures), "--steps", "2", "--batch", "2"]
    command += ["--patch", "16", "--held-out", "1", "--set", "network.width=4", "--quiet"]
    restore(*command, "--out", str(tmp_path / "a"), "--undamaged", "0.25")
    record = json.loads((tmp_path / "a/config.json").read_text())
    assert record["training"]["undamaged"] == 0.25 and record["training"]["shrink"] == 0.5
    for name in AUGMENTATION:
        del record["training"][name]
    (tmp_path / "old.json").write_text(json.dumps(record))
    restore(*command, "--out", str(tmp_path / "b"), "--recipe", str(tmp_path / "old.json"))
    assert json.loads((tmp_path / "b/config.json").read_text())["training"]["shrink"] == 0
