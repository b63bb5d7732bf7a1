"""What a program or a notebook hands over and is shown: paths as texts, wrong names, copies, pictures."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
from pathlib import Path

import numpy
import pytest
import torch
from forking import python
from PIL import Image
from small import make_weights, picture

import restoration
from restoration.errors import BadOption, BadPicture
from restoration.picture import Picture
from restoration.recipe import default_recipe


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    (tmp_path / "clean").mkdir()
    for seed in range(2):
        restoration.write(picture(24, 24, seed), tmp_path / "clean" / f"{seed}.png")
    return tmp_path / "clean"


@pytest.fixture
def prepared(tmp_path: Path) -> restoration.Restoration:
    weights = make_weights(tmp_path / "weights", "regression")
    return restoration.Restoration("regression", "derain", weights=str(weights), device="cpu")


def test_a_restoration_is_copied_and_handed_to_other_processes_as_it_is(prepared: restoration.Restoration) -> None:
    answer = prepared(picture()).picture.pixels
    for other in (pickle.loads(pickle.dumps(prepared)), copy.deepcopy(prepared)):
        again = other(picture())
        assert torch.equal(again.picture.pixels, answer) and again.evaluations == 1
    assert repr(prepared).startswith("<Restoration by regression for derain with ")


@pytest.mark.parametrize(("channels", "alpha"), [(1, False), (3, False), (1, True), (3, True)])
def test_a_notebook_shows_pictures_and_names_them_without_their_numbers(channels: int, alpha: bool) -> None:
    pixels = picture(6, 9).pixels[:, :channels]
    one = Picture(pixels=pixels, alpha=pixels[:, :1] if alpha else None)
    shown = numpy.asarray(Image.open(io.BytesIO(one._repr_png_()))).reshape(6, 9, -1)
    assert numpy.array_equal(shown[..., :channels], (pixels[0].permute(1, 2, 0) * 255).round().byte().numpy())
    assert shown.shape[2] == channels + alpha
    assert not alpha or numpy.array_equal(shown[..., -1], shown[..., 0])
    assert repr(one).startswith("<Picture 9x6, ") and len(repr(one)) < 60


def test_folders_may_be_texts(prepared: restoration.Restoration, clean: Path, tmp_path: Path) -> None:
    assert len(list(restoration.score(prepared, str(clean), metrics=["psnr"]))) == 2
    table = restoration.compare({"a": prepared}, str(clean), metrics=["psnr"])
    assert str(table).splitlines()[2].split()[:3] == ["metric", "input", "a"]
    assert "| metric |" in table._repr_markdown_()
    with pytest.raises(BadPicture, match="nowhere is not a folder"):
        restoration.train(prepared.recipe, str(tmp_path / "nowhere"), str(tmp_path / "out"), restoration.Training())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 2.5}, "steps must be a whole number, not 2.5"),
        ({"steps": "3"}, "steps must be a whole number, not '3'"),
        ({"batch": True}, "batch must be a whole number, not True"),
        ({"lr": "fast"}, "lr must be a number, not 'fast'"),
        ({"compile": 1}, "compile must be true or false, not 1"),
        ({"precision": "fp8"}, "precision must be one of auto, fp32, bf16, fp16, not 'fp8'"),
        ({"weight_decay": float("nan")}, "weight_decay must be at least 0"),
        ({"warmup": 1.5}, "warmup must be a whole number, not 1.5"),
    ],
)
def test_settings_of_another_kind_are_refused_where_they_are_made(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        restoration.Training(**settings)
    assert restoration.Training(lr=1, workers=None, warmup=None).lr == 1


def test_arguments_that_there_are_not_are_named_with_where_they_belong() -> None:
    with pytest.raises(BadOption, match=r"restore has no argument 'sigma'; .*task_options=\{'sigma': 25\} for what is"):
        restoration.restore(picture(), "regression", "denoise", sigma=25)
    with pytest.raises(BadOption, match="load has no argument 'sampelr'; did you mean 'sampler', or task_options="):
        restoration.load("regression/denoise", sampelr="ddim")


def test_what_is_no_picture_is_said_of_writing_reading_and_measuring(tmp_path: Path) -> None:
    with pytest.raises(BadPicture, match=r"what is written is a Picture, .*, not Tensor"):
        restoration.write(torch.zeros(1, 3, 4, 4), tmp_path / "x.png")  # type: ignore[arg-type]
    with pytest.raises(BadPicture, match="what is read is a path, or the bytes of a file, not int"):
        restoration.read(3)  # type: ignore[arg-type]
    for metric in (restoration.psnr, restoration.ssim, restoration.ms_ssim):
        with pytest.raises(ValueError, match=r"pictures are tensors 1 c h w of floats in .*, not ndarray"):
            metric(numpy.zeros((4, 4, 3)), numpy.zeros((4, 4, 3)))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"pictures are tensors 1 c h w, one at a time, not \(2, 3, 200, 200\)"):
            metric(torch.zeros(2, 3, 200, 200), torch.zeros(2, 3, 200, 200))


def test_a_worker_that_runs_the_script_that_trains_says_what_the_script_lacks(clean: Path, monkeypatch) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    recipe = default_recipe("regression", "derain")
    with pytest.raises(BadOption, match='let the script train under `if __name__ == "__main__":`, or with workers=0'):
        restoration.train(recipe, clean, clean.parent / "out", restoration.Training())


@pytest.mark.slow
def test_a_script_without_a_main_that_trains_with_workers_is_told_so(clean: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import restoration\n"
        "from restoration.recipe import default_recipe, with_options\n"
        "recipe = with_options(default_recipe('regression', 'derain'), {'network.width': 8})\n"
        "settings = restoration.Training(steps=1, batch=1, patch=16, held_out=1, workers=1)\n"
        f"restoration.train(recipe, {str(clean)!r}, 'out', settings)\n"
    )
    done = python(script, cwd=tmp_path)
    assert done.returncode == 1
    assert "or with workers=0" in done.stderr and "for want of memory unless it has said why" in done.stderr
