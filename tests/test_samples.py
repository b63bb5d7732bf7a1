"""`--samples`: several results of one picture, their mean and a map of where they differ, and the files of all that."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from forking import start
from small import make_weights, picture
from torch.testing import assert_close

from restoration import BadOption, Restoration, read, write
from restoration.images import read_all
from restoration.picture import Picture
from restoration.samples import DEVIATION_SCALE

NAMES = ["a.restored.1.png", "a.restored.2.png", "a.restored.deviation.png", "a.restored.mean.png"]


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small weights of ir-sde for derain that draw."""
    return make_weights(tmp_path_factory.mktemp("drawing") / "real", realism=1.0, mean="regression/derain")


@pytest.fixture
def how(drawing: Path) -> list[Any]:
    """How to draw quickly, on the command line."""
    given = ["-m", "ir-sde", "-t", "derain", "--weights", drawing, "--steps", 2, "--sampler", "posterior"]
    return [*given, "--precision", "fp32", "--samples", 2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture."""
    write(picture(), tmp_path / "a.png")
    return tmp_path


def made(drawing: Path, **more: Any) -> Restoration:
    return Restoration("ir-sde", "derain", weights=str(drawing), steps=2, sampler="posterior", precision="fp32", **more)


def test_samples_have_seeds_that_follow_one_another_and_a_mean_and_a_deviation(drawing: Path) -> None:
    restoration = made(drawing)
    samples = restoration.samples(picture(), 3, seed=5)
    results = list(samples)
    assert [one.seed for one in results] == [5, 6, 7] and len(samples) == 3
    for one in results:
        assert torch.equal(one.picture.pixels, restoration(picture(), seed=one.seed).picture.pixels)
    all_of_them = torch.stack([one.picture.pixels for one in results])
    assert_close(samples.mean.pixels, all_of_them.mean(dim=0))
    deviation = all_of_them.std(dim=0).square().mean(dim=1, keepdim=True).sqrt()
    assert_close(samples.deviation.pixels, (DEVIATION_SCALE * deviation).clamp(0, 1), atol=1e-5, rtol=1e-3)
    assert samples.deviation.bits == 16 and samples.levels == pytest.approx(
        255 * float(deviation.square().mean() ** 0.5)
    )
    again = [one.picture.pixels for one in samples]
    assert len(again) == 3 and torch.equal(torch.stack(again), all_of_them), "it begins anew"


def test_fewer_than_two_samples_have_no_deviation(drawing: Path) -> None:
    with pytest.raises(BadOption, match="samples are two or more"):
        made(drawing).samples(picture(), 1)


def test_where_every_seed_gives_the_same_there_is_nothing_to_sample(drawing: Path) -> None:
    with pytest.raises(BadOption, match="method 'regression' draws nothing at random"):
        Restoration("regression", "derain").samples(picture(), 2)
    for weights in (None, str(drawing)):
        with pytest.raises(BadOption, match="at realism 0 method 'ir-sde' gives the most likely picture"):
            Restoration("ir-sde", "derain", weights=weights, realism=0).samples(picture(), 2)
    with pytest.raises(BadOption, match="sampler 'dpmpp-2m' draws nothing at random"):
        Restoration("denoising-ode", "denoise").samples(picture(), 2)
    for sampler in ("posterior", "dpmpp-2m-sde"):
        Restoration("denoising-ode", "denoise", sampler=sampler).samples(picture(), 2)
    Restoration("denoising-ode", "denoise", sampler="ddim", options={"sampler.eta": 0.1}).samples(picture(), 2)
    with pytest.raises(BadOption, match="sampler 'dpmpp-2m-sde' draws nothing at random"):
        Restoration("denoising-ode", "denoise", sampler="dpmpp-2m-sde", options={"sampler.eta": 0.0}).check_draws()


def test_the_command_writes_all_of_it_and_names_it(restore, how, folder) -> None:  # type: ignore[no-untyped-def]
    done = restore("run", "a.png", *how, "--seed", 3, "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(os.listdir(folder)) == ["a.png", *NAMES]
    line = json.loads(done.stdout)
    assert line["samples"] == NAMES[:2] and line["output"] == NAMES[3] and line["deviation"] == NAMES[2]
    assert (line["evaluations"], line["seed"], line["realism"], line["deviation_scale"]) == (4, 3, 1, DEVIATION_SCALE)
    one, two, deviation, mean = (read(folder / name) for name in NAMES)
    assert_close(mean.pixels, (one.pixels + two.pixels) / 2, atol=1.01 / 255, rtol=0)
    apart = ((one.pixels - two.pixels).square().mean(dim=1, keepdim=True) / 2).sqrt()
    assert deviation.pixels.shape == (1, 1, 24, 32) and deviation.bits == 16
    assert_close(deviation.pixels, DEVIATION_SCALE * apart, atol=DEVIATION_SCALE / 255, rtol=0)
    assert line["deviation_levels"] == pytest.approx(255 * float(apart.square().mean() ** 0.5), abs=0.5)


def test_the_first_sample_is_what_the_same_command_gives_without(restore, how, folder) -> None:  # type: ignore[no-untyped-def]
    assert restore("run", "a.png", *how, cwd=folder).stdout.split() == [*NAMES[:3], NAMES[3]]
    for seed in (0, 1):
        restore("run", "a.png", *how[:-2], "--seed", seed, "-o", f"{seed}.png", cwd=folder)
        assert (folder / f"{seed}.png").read_bytes() == (folder / NAMES[seed]).read_bytes()


@pytest.mark.parametrize(
    ("output", "names"),
    {
        "out/": ["out/a.1.png", "out/a.2.png", "out/a.deviation.png", "out/a.mean.png"],
        "b.tif": ["b.1.tif", "b.2.tif", "b.deviation.tif", "b.mean.tif"],
        "{sample}/{name}{ext}": ["1/a.png", "2/a.png", "deviation/a.png", "mean/a.png"],
        "out/{name}-{method}": None,
    }.items(),
)
def test_names_follow_the_output(restore, how, folder, output, names) -> None:  # type: ignore[no-untyped-def]
    done = restore("run", "a.png", *how, "-o", output, "--dry-run", "--json", cwd=folder)
    if names is None:
        assert done.returncode == 2 and "cannot write out/a-ir-sde.mean" in done.stderr
        return
    line = json.loads(done.stdout)
    assert [*line["samples"], line["deviation"], line["output"]] == names
    assert os.listdir(folder) == ["a.png"]


def test_a_template_has_a_place_for_samples_only_where_there_are_some(restore, how, folder) -> None:  # type: ignore[no-untyped-def]
    done = restore("run", "a.png", *how[:-2], "-o", "{name}.{sample}.png", cwd=folder)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "{sample}, which is for --samples" in done.stderr
    piped = restore("run", "-", *how, input=(folder / "a.png").read_bytes(), text=False)
    assert piped.returncode == 2 and b"samples are several files" in piped.stderr


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_overwritten_unasked(restore, how, folder, name) -> None:  # type: ignore[no-untyped-def]
    (folder / name).write_bytes(b"mine")
    refused = restore("run", "a.png", *how, cwd=folder)
    assert refused.returncode == 2 and f"{name} is already there" in refused.stderr
    assert sorted(os.listdir(folder)) == ["a.png", name]
    going_on = restore("run", "a.png", *how, "--skip-existing", cwd=folder)
    assert going_on.returncode == (0 if name == NAMES[3] else 1)
    assert (folder / name).read_bytes() == b"mine" and sorted(os.listdir(folder)) == ["a.png", name]
    assert restore("run", "a.png", *how, "--overwrite", cwd=folder).returncode == 0
    assert (folder / name).read_bytes() != b"mine"


def test_what_an_interruption_left_is_completed(restore, how, folder) -> None:  # type: ignore[no-untyped-def]
    restore("run", "a.png", *how, cwd=folder)
    wanted = {name: (folder / name).read_bytes() for name in NAMES}
    (folder / NAMES[3]).unlink()
    done = restore("run", "a.png", *how, "--skip-existing", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert {name: (folder / name).read_bytes() for name in NAMES} == wanted
    skipped = restore("run", "a.png", *how, "--skip-existing", cwd=folder)
    assert (skipped.returncode, skipped.stdout) == (0, "")


def test_results_are_no_inputs_when_a_command_runs_again(restore, how, folder) -> None:  # type: ignore[no-untyped-def]
    write(picture(seed=1), folder / "b.png")
    assert restore("run", ".", *how[:-1], 3, cwd=folder).returncode == 0
    for more in (how, how[:-2]):
        done = restore("run", ".", *more, "--dry-run", "--json", cwd=folder)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == (2 if more == how else 0), done.stderr
        assert [line["input"] for line in lines] == ([] if more == how else ["a.png", "b.png"])
    assert "left alone: 10 files" in done.stderr
    again = restore("run", ".", *how, "--skip-existing", cwd=folder)
    assert (again.returncode, again.stdout) == (0, "")


def test_pages_are_sampled_one_by_one(restore, how, tmp_path) -> None:  # type: ignore[no-untyped-def]
    import pyvips

    pages = [pyvips.Image.black(32, 24, bands=3).copy(interpretation="srgb") + value for value in (40, 200)]
    joined = pages[0].join(pages[1], "vertical").cast("uchar").copy()
    joined.set_type(pyvips.GValue.gint_type, "page-height", 24)
    joined.tiffsave(str(tmp_path / "two.tif"))
    done = restore("run", "two.tif", *how, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 2
    for which in ("1", "2", "mean", "deviation"):
        assert len(read_all(tmp_path / f"two.restored.{which}.tif")) == 2
    mean = [one.pixels for one in read_all(tmp_path / "two.restored.mean.tif")]
    ones = [one.pixels for one in read_all(tmp_path / "two.restored.1.tif")]
    assert all(float((a - b).abs().mean()) < 0.05 for a, b in zip(mean, ones, strict=True))


def test_alpha_grey_and_jpeg_have_samples_too(restore, how, tmp_path) -> None:  # type: ignore[no-untyped-def]
    pixels = picture().pixels[:, :1]
    write(Picture(pixels=pixels, alpha=torch.full((1, 1, 24, 32), 0.5)), tmp_path / "grey.png")
    write(picture(), tmp_path / "lossy.jpg")
    assert restore("run", ".", *how, cwd=tmp_path).returncode == 0
    assert read(tmp_path / "grey.restored.mean.png").alpha is not None
    deviation = read(tmp_path / "grey.restored.deviation.png")
    assert deviation.alpha is None and deviation.pixels.shape[1] == 1
    assert read(tmp_path / "lossy.restored.deviation.jpg").pixels.shape == (1, 1, 24, 32)


def test_a_report_has_a_layer_that_shows_where_the_method_guesses(restore, how, folder) -> None:  # type: ignore[no-untyped-def]
    done = restore("run", "a.png", *how, "--report", "page.html", cwd=folder)
    assert done.stdout.split()[-1] == "page.html"
    text = (folder / "page.html").read_text()
    assert text.count("data:image/png;base64,") == 3 and text.count('class="guess"') == 1
    assert "show where the method is guessing" in text
    restore("run", "a.png", *how[:-2], "--report", "plain.html", cwd=folder)
    assert 'class="guess"' not in (folder / "plain.html").read_text()


def test_methods_that_do_not_draw_are_refused_before_any_work(restore, folder) -> None:  # type: ignore[no-untyped-def]
    for how in (
        ("regression", "-t", "derain"),
        ("ir-sde", "-t", "derain", "--realism", 0),
        ("denoising-ode", "-t", "denoise"),
    ):
        done = restore("run", "a.png", "-m", *how, "--samples", 2, cwd=folder)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert os.listdir(folder) == ["a.png"]


def test_samples_that_are_all_equal_are_told(restore, folder) -> None:  # type: ignore[no-untyped-def]
    (folder / "same.py").write_text(
        "from restoration import RestorerCard, hookimpl\n"
        "class Same:\n"
        "    def __call__(self, observation, rng):\n"
        "        yield 0.9 * observation.y\n"
        "@hookimpl\n"
        "def register_restorers():\n"
        "    yield RestorerCard(name='same', factory='same:Same', summary='x', needs_weights=False)\n"
    )
    run = ("--plugin", "same.py", "run", "a.png", "-m", "same", "-t", "denoise", "--samples", 2)
    done = restore(*run, cwd=folder)
    assert done.returncode == 0 and "a.png: all samples are equal: same drew nothing at random" in done.stderr
    assert not read(folder / "a.restored.deviation.png").pixels.any()


def test_ctrl_c_leaves_nothing_half_done(drawing, tmp_path) -> None:  # type: ignore[no-untyped-def]
    for index in range(20):
        write(picture(64, 64, index), tmp_path / f"{index:02}.png")
    command = ["-m", "restoration", "run", tmp_path, "-m", "ir-sde", "-t", "derain", "--weights", drawing]
    process = start(*command, "--samples", 3, "--steps", "30", "-o", f"{tmp_path}/out/")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    names = sorted(os.listdir(tmp_path / "out"))
    assert 0 < len(names) < 100 and len(names) % 5 == 0 and not any(name.startswith(".") for name in names)


def test_samples_that_are_not_plausible_are_kept_under_other_names(restore, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "black.py").write_text(
        "import torch\n"
        "from restoration import RestorerCard, hookimpl\n"
        "class Black:\n"
        "    def __call__(self, observation, rng):\n"
        "        yield 0 * observation.y + 1e-4 * torch.rand(observation.y.shape, generator=rng)\n"
        "@hookimpl\n"
        "def register_restorers():\n"
        "    yield RestorerCard(name='black', factory='black:Black', summary='x', needs_weights=False)\n"
    )
    write(picture(64, 64), tmp_path / "a.png")
    run = ("--plugin", "black.py", "run", "a.png", "-m", "black", "-t", "denoise", "--samples", 2)
    done = restore(*run, cwd=tmp_path)
    assert done.returncode == 1 and "sample 1: " in done.stderr and "a.restored.mean.doubtful.png" in done.stderr
    kept = [name.replace(".png", ".doubtful.png") for name in NAMES]
    assert set(os.listdir(tmp_path)) - {"__pycache__"} == {"a.png", "black.py", *kept}
    assert restore(*run, "--accept", cwd=tmp_path).returncode == 0
    assert set(NAMES) <= set(os.listdir(tmp_path))
