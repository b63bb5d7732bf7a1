"""Pairs are found by the names that they usually have; nothing that looks like pairs is taken for clean pictures."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from restoration.errors import BadOption, BadPicture
from restoration.images.folders import Pair, bursts_in, pairs_in, pictures_in, scene_of, singles_in
from restoration.images.names import bare
from restoration.training.patches import split

Make = Callable[..., Path]
THREE = ("001", "002", "003")


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a folder of empty files, whose names alone matter."""

    def folder(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return folder


def found(folder: Path, **how: str) -> list[tuple[str, str | None]]:
    def inside(source: object) -> str:
        return Path(str(source)).relative_to(folder).as_posix()

    return [(inside(pair.clean), pair.degraded and inside(pair.degraded)) for pair in pairs_in(folder, **how)]


def each(*templates: str, names: tuple[str, ...] = THREE) -> list[str]:
    return [template.format(name) for template in templates for name in names]


PAIRED = {
    "two folders": ("GT/{}.png", "LQ/{}.png"),
    "of another format": ("HQ/{}.png", "lq/{}.JPG"),
    "in any case": ("Sharp/{}.png", "BLUR/{}.png"),
    "restormer": ("train/target/{}.png", "train/input/{}.png"),
    "rain": ("norain/norain-{}.png", "rain/rain-{}.png"),
    "rain in the folder above": ("Rain100H/norain-{}.png", "Rain100H/rainy/rain-{}.png"),
    "words within names of folders": ("ground_truth/{}.jpg", "rainy_image/{}.jpg"),
    "super-resolution": ("DIV2K_train_HR/{}.png", "DIV2K_train_LR_bicubic/X4/{}x4.png"),
    "only one is known": ("clean/{}.png", "mine/{}.png"),
    "only the degraded one is known": ("mine/{}.png", "hazy/{}.png"),
    "deep": ("GOPR0372/sharp/{}.png", "GOPR0372/blur/{}.png"),
    "in one folder": ("{}_GT.png", "{}_NOISY.png"),
    "before the name": ("Data/{}/GT_SRGB_010.PNG", "Data/{}/NOISY_SRGB_010.PNG"),
    "of cameras": ("canon_{}_mean.JPG", "canon_{}_Real.JPG"),
    "beside the clean one": ("{}.png", "{}.degraded.png"),
    "of webdataset": ("{}.clean.png", "{}.degraded.png"),
    "of other beginnings": ("GT/A-{}-x.png", "LQ/B{}.png"),
}


@pytest.mark.parametrize("case", PAIRED)
def test_pairs_are_known_by_their_names(make: Make, case: str) -> None:
    clean, degraded = PAIRED[case]
    folder = make(*each(clean, degraded))
    assert found(folder) == [(clean.format(name), degraded.format(name)) for name in THREE]


@pytest.mark.parametrize("names", [("clear/{}.png", "hazy/{}_{}_0.8.jpg"), ("gt/{}.png", "rain/rain-{}_{}.png")])
def test_several_degraded_pictures_may_have_one_clean_one(make: Make, names: tuple[str, str]) -> None:
    clean, degraded = names
    pairs = [(clean.format(name), degraded.format(name, number)) for name in THREE for number in (1, 2)]
    assert found(make(*{name for pair in pairs for name in pair})) == pairs


@pytest.mark.parametrize(
    "names",
    [
        ["a.png", "b.png", "nested/c.png"],
        ["nature/a1.png", "city/b2.png", "city/b3.png"],
        ["rain_forest.png", "clear_sky.png", "target.png"],
        ["one/{}.png", "two/{}.png", "three/{}.png"],
        ["HR/a.png", "HR/b.png"],
        ["noise/a.png"],
    ],
)
def test_other_folders_hold_clean_pictures(make: Make, names: list[str]) -> None:
    assert all(degraded is None for _, degraded in found(make(*names)))


WRONG = {
    "neither is a name for clean; call them GT and LQ, or say which with --clean DIR": (
        "first/{}.png",
        "second/{}.png",
    ),
    "both blur and blur_gamma are degraded": ("sharp/{}.png", "blur/{}.png", "blur_gamma/{}.png"),
    "both LR_bicubic/X2 and LR_bicubic/X4 are": ("HR/{}.png", "LR_bicubic/X2/{}x2.png", "LR_bicubic/X4/{}x4.png"),
    "both GT and target are clean": ("GT/{}.png", "target/{}.png", "input/{}.png"),
    "a.jpg and .*a.png have one name": ("clean/a.jpg", "clean/a.png", "rain/a.png"),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_looks_like_pairs_and_is_not_understood_is_an_error(make: Make, message: str) -> None:
    folder = make(*{name for template in WRONG[message] for name in each(template)})
    with pytest.raises(BadPicture, match=message.replace("neither", "neither first nor second")):
        pairs_in(folder)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("clean/004.png", r"clean/004.png has no counterpart \(1 of 4 clean pictures of"),
        ("rain/x.png", r"rain/x.png has no counterpart \(1 of 4 degraded pictures of"),
    ],
)
def test_a_picture_without_its_counterpart_is_named(make: Make, extra: str, message: str) -> None:
    folder = make(*each("clean/{}.png", "rain/{}.png"), extra)
    with pytest.raises(BadPicture, match=message):
        pairs_in(folder)


def test_a_folder_half_of_which_are_pairs_is_an_error(make: Make) -> None:
    with pytest.raises(BadPicture, match=r"looks like pairs, but .*odd\.png"):
        pairs_in(make(*each("{}.clean.png", "{}.degraded.png"), "odd.png"))


def test_what_lies_beside_pairs_is_left_out_with_a_remark(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    folder = make(*each("clean/{}.png", "rain/{}.png"), "cover.png", "rain/masks/001.png", "kernels/001.png")
    with caplog.at_level(logging.WARNING, "restoration"):
        assert len(found(folder)) == 3
    assert [record.getMessage() for record in caplog.records] == [
        f"1 picture of {folder} belongs to no pair and is left out: {folder / 'cover.png'}"
    ]


@pytest.mark.parametrize(
    ("clean", "degraded", "templates"),
    [
        ("a/{}.png", "b/{}.png", ("", "")),
        ("a/norain-{}.png", "b/rain-{}.jpg", ("", "")),
        ("a/{}.png", "b/{}x4.png", ("", "{name}x4")),
        ("a/{}_orig.png", "b/foggy_{}_0.5_x.png", ("{name}_orig", "foggy_{name}_*")),
        ("a/deep/{}.png", "b/deep/{}.png", ("", "")),
    ],
)
def test_two_folders_are_paired_by_templates_or_by_what_they_have_in_common(
    make: Make, clean: str, degraded: str, templates: tuple[str, str]
) -> None:
    folder = make(*each(clean, degraded))
    pairs = pairs_in(folder / "a", folder / "b", clean_name=templates[0], degraded_name=templates[1])
    wanted = [(folder / clean.format(name), folder / degraded.format(name)) for name in THREE]
    assert [(pair.clean, pair.degraded) for pair in pairs] == wanted


def test_a_template_has_a_name_once(make: Make) -> None:
    folder = make(*each("a/{}.png", "b/{}.png"))
    for wrong in ("x4", "{name}{name}", "{name}{other}"):
        with pytest.raises(BadOption, match=r"has \{name\} once"):
            pairs_in(folder / "a", folder / "b", degraded_name=wrong)
    with pytest.raises(BadPicture, match=r"001\.png, .*002\.png, .*003\.png have no counterpart"):
        pairs_in(folder / "a", folder / "b", degraded_name="{name}x4")


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("norain-001", "001"),
        ("0001x4", "0001"),
        ("img_1_GT", "img_1"),
        ("rain", "rain"),
        ("x.clean", "x"),
        ("a-b", "a-b"),
    ],
)
def test_a_bare_name_lacks_words_that_say_what_a_picture_is(stem: str, name: str) -> None:
    assert bare(stem) == name


def test_pictures_are_sorted_as_paths_are(make: Make) -> None:
    folder = make("b/2.png", "a.png", "a/z.png", "a b/1.png", "b/10.png", "c.txt", "B.JPG")
    assert pictures_in(folder) == sorted(path for path in folder.rglob("*.*") if path.suffix != ".txt")


def test_bursts_are_folders_of_scenes_and_each_picture_is_paired_with_the_next(tmp_path):
    names = ["a/0.png", "a/1.png", "a/2.png", "b/x/0.png", "b/x/1.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    pairs = bursts_in(tmp_path)
    found = [tuple(str(one.relative_to(tmp_path)) for one in (pair.clean, pair.degraded)) for pair in pairs]
    assert found == [("a/0.png", "a/1.png"), ("a/1.png", "a/2.png"), ("a/2.png", "a/0.png"), ("b/x/0.png", "b/x/1.png")]
    assert [scene_of(pair) for pair in pairs] == [str(tmp_path / "a")] * 3 + [str(tmp_path / "b" / "x")]
    assert [pair.degraded for pair in singles_in(tmp_path)] == [None] * 5
    for alone in ("c/0.png", "0.png"):
        (tmp_path / alone).parent.mkdir(exist_ok=True)
        (tmp_path / alone).touch()
        with pytest.raises(BadPicture, match=f"{alone} is not one of several pictures of a scene"):
            bursts_in(tmp_path)
        (tmp_path / alone).unlink()


def test_a_scene_with_several_pairs_is_held_out_as_a_whole():
    pairs = [
        Pair(clean=Path(f"{scene}/{i}.png"), degraded=Path(f"{scene}/{i + 1}.png")) for scene in "abc" for i in (0, 1)
    ]
    learnt, held = split(pairs, 1, 0, scene_of)
    assert (len(learnt), len(held)) == (4, 1)
    assert scene_of(held[0]) not in {scene_of(pair) for pair in learnt}
