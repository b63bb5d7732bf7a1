"""Scores of methods on folders of pictures: in Python, and by `restore score` as a process."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from forking import Run
from small import picture
from torch import Generator, Tensor

import restoration
from restoration.errors import BadOption
from restoration.images import read, write
from restoration.interfaces import Observation
from restoration.metrics import psnr, ssim
from restoration.picture import Picture, round_to_levels
from restoration.runtime import Restoration
from restoration.scoring.comparison import compare
from restoration.scoring.measures import Measure, choose
from restoration.scoring.score import Scoring, crop_border, measure
from restoration.scoring.summary import summarise
from restoration.scoring.tables import FORMATS, render
from restoration.tasks import make_task

PLUGIN = '''
import torch
from restoration import RestorerCard, hookimpl


class Mix:
    """The picture, with some of its mean around every pixel and some noise."""

    def __init__(self, *, blur: float = 0.0, noise: float = 0.0, steps: int = 1):
        self.blur, self.noise, self.steps = blur, noise, steps

    def __call__(self, observation, rng):
        y = observation.y
        for _ in range(self.steps):
            soft = torch.nn.functional.avg_pool2d(y, 3, 1, 1, count_include_pad=False)
            y = y + self.blur * (soft - y)
            yield y + self.noise * torch.randn(y.shape, generator=rng).to(y)


@hookimpl
def register_restorers():
    yield RestorerCard(name="mix", factory=f"{__name__}:Mix", summary="a mixture", tasks=(), needs_weights=False)
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "mix.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six small clean pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(6):
        write(picture(32, 40, seed), folder / f"{seed}.png")
    return folder


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Three pairs; the first is equal."""
    folder = tmp_path / "pairs"
    for part in ("clean", "mine"):
        (folder / part).mkdir(parents=True)
        for seed in range(3):
            write(picture(24, 28, seed), folder / part / f"{seed}.png")
    for seed in (1, 2):
        noisy = picture(24, 28, seed).pixels + 0.05 * seed
        write(Picture(pixels=noisy.clamp(0, 1)), folder / "mine" / f"{seed}.png")
    return folder


def small(weights: Path, steps: int) -> Restoration:
    return Restoration("ir-sde", "derain", weights=str(weights), steps=steps, device="cpu", precision="fp32")


def watched(one: Restoration) -> list[Tensor]:
    """Return a list that will hold all pictures that a method is given."""
    given: list[Tensor] = []
    method = one.restorer

    def watch(observation: Observation, rng: Generator) -> Iterator[Tensor]:
        given.append(observation.y.clone())
        return method(observation, rng)

    one.restorer = watch
    return given


def test_the_public_function_scores_picture_by_picture(weights: Path, pairs: Path) -> None:
    scores = list(restoration.score(small(weights, 1), pairs))
    assert [one.name for one in scores] == ["0.png", "1.png", "2.png"]
    clean, degraded = (read(pairs / part / "1.png").pixels for part in ("clean", "mine"))
    result = small(weights, 1)(Picture(pixels=degraded)).picture.pixels
    assert scores[0].before["psnr"] == math.inf
    assert scores[1].before == {
        "psnr_y": psnr(degraded, clean, space="y"),
        "psnr": psnr(degraded, clean),
        "ssim_y": ssim(degraded, clean, space="y"),
        "ssim": ssim(degraded, clean),
    }
    assert scores[1].after["psnr"] == pytest.approx(psnr((result * 255).round() / 255, clean))
    assert scores[1].seconds > 0
    assert scores[1].row()["name"] == "1.png"


def test_results_are_rounded_to_8_bits_before_they_are_measured() -> None:
    clean = torch.full((1, 3, 16, 16), 100 / 255)
    (metric,) = choose(["psnr"])
    assert measure(clean + 0.4 / 255, clean, 0, [metric])["psnr"] == math.inf
    assert measure(clean + 0.6 / 255, clean, 0, [metric])["psnr"] == pytest.approx(48.1308, abs=1e-3)
    assert round_to_levels(torch.tensor([-0.2, 0.5, 1.3])).tolist() == pytest.approx([0, 128 / 255, 1])


def test_a_border_is_left_out_of_every_metric_and_one_that_leaves_nothing_is_an_error() -> None:
    clean = picture(30, 34).pixels
    framed = clean.clone()
    framed[..., :2, :] = framed[..., :2] = 0
    measures = choose(["psnr", "ssim"])
    assert measure(framed, clean, 2, measures) == measure(clean, clean, 2, measures)
    assert measure(framed, clean, 0, measures)["psnr"] < 30
    with pytest.raises(BadOption, match="a border of 15 leaves nothing of 34x30 pixels"):
        crop_border(clean, 15)


def test_all_methods_are_given_the_same_degraded_pictures(weights: Path, photos: Path) -> None:
    methods = {f"steps {steps}": small(weights, steps) for steps in (1, 3)}
    seen = {label: watched(one) for label, one in methods.items()}
    scoring = Scoring(methods, photos, measures=choose(["psnr"]), seed=3, limit=2)
    done = list(scoring)
    assert len(done) == len(scoring) == len(seen["steps 1"]) == 2
    for first, second in zip(seen["steps 1"], seen["steps 3"], strict=True):
        assert torch.equal(first, second)
    assert done[0].evaluations == {"steps 1": 1, "steps 3": 3}
    degraded = make_task("derain")(read(photos / "1.png").pixels, Generator().manual_seed(4))
    assert torch.equal(seen["steps 1"][1], degraded), "its place is added to the seed"


def test_means_intervals_and_tests_are_those_of_the_pictures(weights: Path, photos: Path) -> None:
    methods = {"a": small(weights, 1), "b": small(weights, 2)}
    summary = compare(methods, photos, metrics=["psnr", "ssim_y"], seed=1)
    assert [one.label for one in summary.columns] == ["input", "a", "b"]
    values = [picture.restored["b"]["psnr"] for picture in summary.pictures]
    found = summary.columns[2].means["psnr"]
    assert found.mean == pytest.approx(sum(values) / 6)
    assert min(values) <= found.low < found.mean < found.high <= max(values)
    gains = [picture.restored["b"]["psnr"] - picture.restored["a"]["psnr"] for picture in summary.pictures]
    assert [(one.label, one.against, one.measure.name) for one in summary.differences] == [
        ("b", "a", "psnr"),
        ("b", "a", "ssim_y"),
    ]
    assert summary.differences[0].test.difference == pytest.approx(sum(gains) / 6)
    assert summary.protocols["psnr"] == (
        "PSNR, RGB, border 0, results clipped and rounded to 8 bits, more is better; "
        "photos: 6 clean pictures, degraded by task derain (its defaults), not rounded, seeds 1 to 6"
    )
    assert summary.columns[2].how.startswith("ir-sde (steps=2), sampler ")
    assert "fp32 on cpu, seed 1" in summary.columns[2].how
    again = compare(methods, photos, metrics=["psnr", "ssim_y"], seed=1)
    assert [one.means for one in summary.columns] == [one.means for one in again.columns]
    assert summary.differences[0].test == again.differences[0].test


def test_a_metric_of_sets_has_one_number_for_a_method_and_no_interval(weights: Path, pairs: Path) -> None:
    """As FID is taken, with the mean colour for features and the square between two means for the distance."""

    def squared(first: Tensor, second: Tensor) -> float:
        return float((first.mean(dim=0) - second.mean(dim=0)).square().sum())

    colour = Measure(name="hue", title="Hue", how="hue", features=lambda image: image.mean((0, 2, 3)), distance=squared)
    scoring = Scoring({"a": small(weights, 1)}, pairs, measures=[colour, *choose(["psnr"])], border=2)
    for one in scoring:
        assert list(one.input) == ["psnr"]
    clean, given = (
        torch.stack([crop_border(read(pairs / part / f"{n}.png").pixels, 2).mean((0, 2, 3)) for n in range(3)])
        for part in ("clean", "mine")
    )
    summary = summarise(scoring)
    found = summary.columns[0].means["hue"]
    assert found.mean == pytest.approx(squared(given, clean))
    assert found.mean > 0
    assert math.isnan(found.low)
    assert {one.measure.name for one in summary.differences} == set()
    alone = Scoring({}, pairs, measures=[colour])
    assert [one.input for one in alone] == [{}, {}, {}]
    for form in FORMATS:
        assert "hue" in render(summarise(alone), form, pictures=True).lower()


def test_a_small_picture_is_left_out_of_a_metric_that_has_no_room_and_that_is_said(tmp_path: Path) -> None:
    for part in ("clean", "mine"):
        (tmp_path / part).mkdir()
        for name, size in (("large", 170), ("small", 20)):
            shade = picture(size, size, seed=len(name) + len(part))
            write(shade, tmp_path / part / f"{name}.png")
    of_set = Measure(
        name="hue",
        title="Hue",
        how="hue",
        features=lambda image: image.mean((0, 2, 3)),
        distance=lambda first, second: float((first - second).abs().sum()) + len(first),
        smallest=161,
    )
    scoring = Scoring({}, tmp_path, measures=[*choose(["ms_ssim", "psnr"]), of_set])
    large, tiny = list(scoring)
    assert math.isfinite(large.input["ms_ssim"]) and math.isnan(tiny.input["ms_ssim"])
    summary = summarise(scoring)
    means = summary.columns[0].means
    assert (means["ms_ssim"].pictures, means["psnr"].pictures) == (1, 2)
    assert means["ms_ssim"].mean == large.input["ms_ssim"]
    assert 1 <= means["hue"].mean < 2 and means["hue"].pictures == 1
    for title in ("MS-SSIM", "Hue"):
        assert f"{title}: 1 of 2 pictures are smaller than 161 pixels a side, and left out" in summary.notes
    alone = Scoring({}, tmp_path, measures=[replace(of_set, smallest=171)])
    assert len(list(alone)) == 2 and math.isnan(summarise(alone).columns[0].means["hue"].mean)


def test_a_metric_without_a_number_for_a_picture_is_named_with_the_picture(photos: Path, pairs: Path) -> None:
    answers = iter([0.5, math.nan, 0.25, 0.75] * 2)
    measures = [replace(choose(["psnr"])[0], name="odd", title="Odd", of=lambda image, clean: next(answers))]
    scoring = Scoring({}, pairs, measures=measures)
    number = len(list(scoring))
    summary = summarise(scoring)
    assert (
        f"Odd: input has no number (NaN) for 1 of {number} pictures, the first 1.png; its mean is that of the others"
        in (summary.notes)
    )
    assert not any("smaller than" in note for note in summary.notes)
    answers = iter([0.5, math.inf] * 4)
    list(scoring := Scoring({}, pairs, measures=measures))
    words = "the first 1.png, and so is its mean, whatever the others are"
    assert any(note.endswith(words) for note in summarise(scoring).notes)


def test_what_does_not_fit_is_an_error_that_says_so(weights: Path, photos: Path, pairs: Path) -> None:
    with pytest.raises(BadOption, match="holds clean pictures alone; say with --task how to degrade them"):
        Scoring({}, photos)
    write(picture(24, 30), pairs / "mine" / "1.png")
    with pytest.raises(BadOption, match=r"1\.png and .*1\.png have different sizes"):
        list(Scoring({}, pairs))


# the command line


def test_several_methods_are_columns_and_each_is_compared_with_the_first(
    restore: Run, plugin: Path, photos: Path
) -> None:
    methods = ("-m", "mix", "-m", "mix@blur=0.6", "-m", "mix@2,blur=0.6,noise=0.01")
    done = restore("--plugin", plugin, "score", *methods, "-t", "denoise", "--sigma", 25, "--data", photos, "--json")
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    assert list(table["methods"]) == ["input", "mix", "mix@blur=0.6", "mix@2,blur=0.6,noise=0.01"]
    for one in table["pictures"]:
        assert one["restored"]["mix"] == one["input"], "what does nothing scores as the input"
        assert one["restored"]["mix@blur=0.6"]["psnr"] > one["input"]["psnr"]
    assert {one["against"] for one in table["differences"]} == {"mix"}
    first = table["differences"][0]
    assert first["p"] == 2 / 64, "six pictures, all better"
    assert first["low"] > 0
    assert first["words"].startswith("mix@blur=0.6 against mix, PSNR-Y: difference +")
    assert table["protocol"]["psnr_y"] == (
        "PSNR, Y (BT.601, 16-235, float), border 0, results clipped and rounded to 8 bits, more is better; "
        "photos: 6 clean pictures, degraded by task denoise (sigma=25), not rounded, seeds 0 to 5"
    )
    assert table["methods"]["mix@2,blur=0.6,noise=0.01"]["how"].startswith("mix (steps=2, blur=0.6, noise=0.01)")


def test_the_number_of_evaluations_stands_in_the_label(restore: Run, weights: Path, pairs: Path) -> None:
    how = ("-t", "derain", "--weights", weights, "--metrics", "psnr")
    done = restore("score", "-m", "ir-sde@1", "-m", "ir-sde@3,sampler=ddim", *how, "--data", pairs)
    assert done.returncode == 0, done.stderr
    rows = {line.split("  ")[0]: line.split() for line in done.stdout.splitlines()}
    assert rows["metric"] == ["metric", "input", "ir-sde@1", "ir-sde@3,sampler=ddim"]
    assert rows["evaluations"] == ["evaluations", "1", "3"]
    assert "sampler ddim" in done.stdout


def test_without_a_method_the_pairs_themselves_are_scored(restore: Run, pairs: Path) -> None:
    done = restore("score", "--data", pairs, "--pictures")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "pairs: 3 pairs"
    assert lines[2].split() == ["picture", "method", "PSNR-Y", "(dB)", "PSNR", "(dB)", "SSIM-Y", "SSIM", "seconds"]
    assert lines[3].split() == ["0.png", "input", "inf", "inf", "1.0000", "1.0000"]
    assert "PSNR-Y: PSNR, Y (BT.601, 16-235, float), border 0, results clipped and rounded to 8 bits" in done.stdout


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".json", ".md", ".html"])
def test_a_file_gets_the_format_of_its_suffix_and_the_protocol(
    restore: Run, pairs: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"table{suffix}"
    done = restore("score", "--data", pairs, "-o", out, "--metrics", "psnr,ssim-y", "--border", 2, "--limit", 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}\n"
    text = out.read_text(encoding="utf-8")
    assert (
        "PSNR, RGB, border 2, results clipped and rounded to 8 bits, more is better; pairs: the first 2 of 3 pairs"
        in text
    )
    if suffix == ".csv":
        assert {row["kind"] for row in csv.DictReader(io.StringIO(text))} == {"picture", "mean"}
    if suffix == ".json":
        for printed in (["--json"], ["--format", "json"]):
            again = restore("score", "--data", pairs, "--metrics", "psnr,ssim-y", "--border", 2, "--limit", 2, *printed)
            assert again.stdout == text


def test_a_result_is_not_written_over_unasked(restore: Run, pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    out.write_text("mine")
    refused = restore("score", "--data", pairs, "-o", out)
    assert refused.returncode == 2
    assert "already there; use --overwrite" in refused.stderr
    assert out.read_text() == "mine"
    assert restore("score", "--data", pairs, "-o", out, "--overwrite").returncode == 0
    assert out.read_text().startswith("kind,")


WRONG = {
    ("-o", "table.docx"): "the name table.docx says no format; use .txt, .csv",
    ("-o", "no/table.csv"): "cannot write no/table.csv: there is no folder no",
    ("--json", "--format", "csv"): "--json is --format json, not csv",
    ("--metrics", "psnr,ssmi"): "no metric is named 'ssmi'; did you mean 'ssim'?",
    ("--metrics", ","): "no metric was named; there are detail, fd, fd2",
    ("--border", "14"): "a border of 14 leaves nothing of 28x24 pixels",
    ("-m", "ir-sde"): "say what the methods are for: --task T",
    ("-t", "derain", "-m", "mix@0"): "--method mix@0: steps are a number from 1",
    ("-t", "derain", "-m", "mix@blur"): "'blur' is not KEY=VALUE",
    ("-t", "derain", "-m", "mix", "-m", "mix"): "--method mix is there twice",
    ("-t", "derain", "-m", "mix@blr=1"): "no option 'blr'; did you mean 'blur'?",
    ("-t", "derain", "-m", "mix,blr=1"): "no option 'blr'; did you mean 'blur'?",
    ("-t", "derain", "-m", "mixx"): "no method is named 'mixx'; did you mean 'mix'?",
    ("-t", "derain", "-m", "mix", "--weights", "nowhere"): "nowhere",
}


def test_the_two_sides_of_pairs_may_be_anywhere_and_called_anything(restore: Run, tmp_path: Path) -> None:
    for name, folder, seed in (("a.png", "first", 0), ("ax4_new.png", "second", 1)):
        (tmp_path / folder).mkdir()
        write(picture(24, 28, seed), tmp_path / folder / name)
    sides = ("--clean", "first", "--degraded", "second")
    done = restore("score", *sides, "--degraded-name", "{name}x4_new", "--metrics", "psnr", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = (read(tmp_path / name).pixels for name in ("first/a.png", "second/ax4_new.png"))
    mean = json.loads(done.stdout)["methods"]["input"]["metrics"]["psnr"]["mean"]
    assert mean == pytest.approx(psnr(second, first), abs=1e-4)
    for wrong in (("--clean", "first"), (), (*sides, "--data", ".")):
        assert "--clean and --degraded" in restore("score", *wrong, cwd=tmp_path).stderr
    over = ("-o", "second/ax4_new.png", "--format", "csv", "--overwrite")
    refused = restore("score", *sides, "--degraded-name", "{name}x4_new", *over, cwd=tmp_path)
    assert refused.returncode == 2 and "choose another name" in refused.stderr


@pytest.mark.parametrize("arguments", WRONG, ids=lambda arguments: " ".join(arguments[-2:]))
def test_wrong_usage_is_one_line_and_exit_code_2(
    restore: Run, plugin: Path, pairs: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = restore("--plugin", plugin, "score", "--data", pairs, *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert WRONG[arguments] in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_weights_that_are_not_in_the_cache_stop_it_before_any_picture_is_restored(
    restore: Run, plugin: Path, pairs: Path, tmp_path: Path
) -> None:
    pytest.importorskip("lpips")
    home = {**os.environ, "TORCH_HOME": str(tmp_path / "torch")}
    done = restore("--plugin", plugin, "score", "--data", pairs, "--metrics", "psnr,lpips", env=home)
    assert done.returncode == 2
    assert "metric 'lpips' needs the weights of AlexNet (244 MB)" in done.stderr
    assert f"-o {tmp_path}/torch/hub/checkpoints/alexnet-owt-7be5be79.pth https://" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "torch").exists()


def test_a_grey_picture_has_noise_that_is_the_same_in_all_channels(tmp_path: Path) -> None:
    write(Picture(pixels=round_to_levels(picture(40, 40).pixels.mean(dim=1, keepdim=True))), tmp_path / "grey.png")
    known = read(tmp_path / "grey.png").pixels
    noisy = make_task("denoise", {"sigma": 25.0})(known, Generator().manual_seed(3))
    method = Restoration("regression", "denoise", task_options={"sigma": 25.0})
    (score,) = Scoring({"regression": method}, tmp_path, seed=3, measures=choose(["psnr", "psnr_y"]))
    assert known.shape[1] == noisy.shape[1] == 1
    assert score.input["psnr"] == pytest.approx(psnr(round_to_levels(noisy.clamp(0, 1)), known), abs=1e-3)
    assert score.restored["regression"]["psnr"] > score.input["psnr"] + 3
