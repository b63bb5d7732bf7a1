"""What a patch is made of: which picture, which part of it, in which size, and with what damage."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from small import picture
from torch import Generator, Tensor

from restoration.errors import BadOption, BadPicture
from restoration.images import write
from restoration.images.folders import Pair, pairs_in
from restoration.picture import Picture
from restoration.tasks import make_task
from restoration.training import patches as module
from restoration.training.patches import Patches, split
from restoration.training.pictures import Pictures
from restoration.training.validation import Validation


def flat(value: float, height: int, width: int) -> Picture:
    return Picture(pixels=torch.full((1, 3, height, width), value))


def same(x: Tensor, rng: Generator) -> Tensor:
    return x


def folder_of(path: Path, *pictures: Picture) -> Path:
    path.mkdir()
    for place, one in enumerate(pictures):
        write(one, path / f"{place}.png")
    return path


def test_a_patch_is_a_function_of_seed_step_and_row(tmp_path: Path) -> None:
    pairs = pairs_in(folder_of(tmp_path / "a", *(picture(40, 48, seed) for seed in range(4))))
    one, other = (Patches(pairs, make_task("derain"), size=16, cache=cache) for cache in (0, 10**6))
    places = [(seed, step, row) for seed in (0, 1) for step in (0, 7) for row in (0, 5)]
    drawn = [one.row(*place) for place in places]
    for place, (x, y) in reversed(list(zip(places, drawn, strict=True))):
        again = other.row(*place)
        assert torch.equal(x, again[0]) and torch.equal(y, again[1])
        assert x.shape == y.shape == (3, 16, 16) and not torch.equal(x, y)
    assert len({x.numpy().tobytes() for x, _ in drawn}) == len(places)


def test_patches_come_from_everywhere_in_all_eight_positions(tmp_path: Path) -> None:
    ramp = torch.linspace(0, 1, 30).expand(1, 3, 20, 30)
    patches = Patches([Pair(clean=_written(tmp_path, Picture(pixels=ramp)))], same, size=10)
    drawn = [patches.row(0, 0, row)[0] for row in range(200)]
    assert min(float(x.min()) for x in drawn) == 0 and max(float(x.max()) for x in drawn) == 1
    turns = {(int((x[0, 0, -1] - x[0, 0, 0]).sign()), int((x[0, -1, 0] - x[0, 0, 0]).sign())) for x in drawn}
    assert turns == {(1, 0), (-1, 0), (0, 1), (0, -1)}


def _written(folder: Path, one: Picture) -> Path:
    write(one, folder / "one.png")
    return folder / "one.png"


def test_large_pictures_are_drawn_more_often_by_a_law_that_needs_no_list_of_sizes(tmp_path: Path) -> None:
    small, large = [flat(0.2, 20, 20)] * 9, flat(0.8, 80, 80)
    patches = Patches(pairs_in(folder_of(tmp_path / "a", *small, large)), same, size=16, cache=10**6)
    number = 3000
    share = sum(float(patches.row(0, 0, row)[0][0, 0, 0]) > 0.5 for row in range(number)) / number
    expected = 0.1**2 + 2 * 0.1 * 0.9 * 16 / 17
    assert share == pytest.approx(expected, abs=4 * (expected / number) ** 0.5)
    assert expected > 1.7 / 10, "nearly twice as often as one of ten"


def test_pictures_smaller_than_a_patch_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = pairs_in(folder_of(tmp_path / "a", *[flat(0.2, 15, 40)] * 6, flat(0.8, 16, 16)))
    with caplog.at_level(logging.WARNING, "restoration"):
        patches = Patches(pairs, same, size=16)
        monkeypatch.setattr(module, "CHECKED", 5)
        Patches(pairs, same, size=16)
    assert {round(float(patches.row(0, 0, row)[0][0, 0, 0]), 1) for row in range(20)} == {0.8}
    assert [record.getMessage() for record in caplog.records] == [
        "6 of 7 pictures are smaller than a patch of 16x16 and are left out",
        "about 100 % of 7 pictures are smaller than a patch of 16x16 and are left out",
    ]
    with pytest.raises(BadOption, match="no picture is as large as a patch of 17x17; use a smaller --patch"):
        Patches(pairs, same, size=17)


def test_a_picture_is_decoded_once_while_there_is_room(tmp_path: Path) -> None:
    pairs = pairs_in(folder_of(tmp_path / "a", *(picture(40, 48, seed) for seed in range(3))))
    kept, decoded = (Patches(pairs, same, size=16, cache=cache) for cache in (10**6, 0))
    before = [kept.row(0, 0, row)[0] for row in range(30)]
    assert all(torch.equal(decoded.row(0, 0, row)[0], x) for row, x in enumerate(before))
    for pair in pairs:
        Path(str(pair.clean)).unlink()
    assert all(torch.equal(kept.row(0, 0, row)[0], x) for row, x in enumerate(before)), "from the cache alone"
    with pytest.raises(BadPicture, match="No such file"):
        decoded.row(0, 0, 0)


def test_grey_is_trained_on_grey_and_in_colour(tmp_path: Path) -> None:
    colour, grey = picture(20, 20, 1), Picture(pixels=picture(20, 20, 2).pixels[:, :1])
    pairs = pairs_in(folder_of(tmp_path / "a", colour, grey))
    for channels in (1, 3):
        pictures = Pictures(pairs, same, channels=channels, cache=10**6)
        for _ in range(2):
            first, second = (pictures.window(number, slice(0, 20), slice(0, 20))[0] / 255 for number in (0, 1))
            assert first.shape == second.shape == (channels, 20, 20)
            assert torch.allclose(second, grey.pixels[0].expand(channels, -1, -1), atol=1e-6)
            wanted = colour.pixels[0] if channels == 3 else colour.pixels[0].mean(dim=0, keepdim=True)
            assert float((first - wanted).abs().max()) <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 66), (50, 61)])
def test_small_pictures_of_pairs_are_enlarged_as_the_task_does(tmp_path: Path, height: int, width: int) -> None:
    task = make_task("sr", {"scale": 4})
    (tmp_path / "HR").mkdir()
    (tmp_path / "LR").mkdir()
    clean = picture(height, width, 1)
    seen = task.observe(clean.pixels, torch.Generator().manual_seed(0))  # type: ignore[attr-defined]
    write(clean, tmp_path / "HR" / "a.png")
    write(Picture(pixels=seen.measured), tmp_path / "LR" / "ax4.png")
    pairs = pairs_in(tmp_path)
    whole = seen.y[0, :, :height, :width]
    pictures = Pictures(pairs, task, cache=10**6)
    assert pictures.size(0) == (height, width)
    for rows, columns in (
        (slice(0, 16), slice(0, 16)),
        (slice(13, 29), slice(21, 37)),
        (slice(height - 16, height), slice(width - 16, width)),
    ):
        x, y = pictures.window(0, rows, columns)
        assert y is not None and torch.equal(x, (clean.pixels[0] * 255).round().to(torch.uint8)[:, rows, columns])
        assert torch.allclose(y, whole[:, rows, columns], atol=1e-5), "windows are parts of the enlarged whole"
    x, y = Patches(pairs, task, size=16).row(0, 0, 3)
    assert x.shape == y.shape == (3, 16, 16)
    ((clean_middle, degraded_middle),) = Validation(pairs, task, channels=3).pictures
    assert torch.allclose(degraded_middle.y[0], whole, atol=1e-5) and torch.equal(clean_middle, clean.pixels)


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("sr", {"scale": 4}, r"HR/a.png is 64x48, .*LR/a.png is 32x24, 2 times smaller; .* --set task.scale=2"),
        ("derain", {}, r"HR/a.png is 64x48, .*LR/a.png is 32x24, 2 times smaller; is the task sr\?"),
    ],
)
def test_a_pair_of_other_sizes_is_met_at_the_beginning(tmp_path: Path, task: str, options: dict, message: str) -> None:
    for name, size in (("HR", (48, 64)), ("LR", (24, 32))):
        folder_of(tmp_path / name)
        write(picture(*size), tmp_path / name / "a.png")
    pairs = pairs_in(tmp_path)
    for meet in (
        lambda: Patches(pairs, make_task(task, options), size=8),
        lambda: Validation(pairs, make_task(task, options), channels=3),
    ):
        with pytest.raises(BadPicture, match=message) as caught:
            meet()
        assert "\n" not in str(caught.value)


def test_a_fingerprint_is_of_names_and_sizes_and_not_of_places(tmp_path: Path) -> None:
    folders = [folder_of(tmp_path / name, *(picture(20, 20, seed) for seed in range(3))) for name in ("a", "b")]

    def known(folder: Path) -> str:
        return Patches(pairs_in(folder), same, size=16).fingerprint()

    first = known(folders[0])
    assert first == known(folders[1])
    (folders[1] / "2.png").rename(folders[1] / "3.png")
    assert known(folders[1]) != first
    write(picture(30, 30), folders[0] / "2.png")
    assert known(folders[0]) != first


def test_all_that_was_made_of_a_picture_held_out_is_kept_out_of_training() -> None:
    pairs = [
        Pair(clean=Path(f"{number}.png"), degraded=Path(f"{number}_{k}.png")) for number in range(6) for k in range(3)
    ]
    training, held_out = split(pairs, 2, seed=0)
    assert len(held_out) == 2 and len(training) == 12
    assert not {pair.clean for pair in training} & {pair.clean for pair in held_out}
