"""`--consistent`: results that agree with what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small import make_weights, picture

from restoration import BadOption, Picture, Restoration, read, write
from restoration.picture import round_to_levels
from restoration.scoring.score import Scoring
from restoration.scoring.summary import summarise
from restoration.scoring.tables import render
from restoration.tasks import used_by

HOPPER = Path(__file__).parent.parent / "examples" / "derain" / "clean" / "hopper.png"


def off(restoration: Restoration) -> float:
    """How far what is enlarged is from its small picture when it is made smaller again, in levels."""
    whole = read(HOPPER)
    small = whole.with_pixels(round_to_levels(torch.nn.functional.avg_pool2d(whole.pixels[..., 100:220, 60:180], 4)))
    seen = restoration.describe(small)
    assert seen.operator is not None and seen.measured is not None
    back = seen.operator(round_to_levels(restoration(small).picture.pixels))
    return 255 * float((back - seen.measured).square().mean().sqrt())


@pytest.mark.parametrize("realism", [None, 0.5, 1])
def test_what_is_enlarged_comes_down_to_its_small_picture_again(realism: float | None, tmp_path: Path) -> None:
    method, weights = "regression", None
    if realism is not None:
        method, weights = "ir-sde", str(make_weights(tmp_path / "real", task="sr", realism=1.0, mean="regression/sr"))
    how = {"realism": realism, "weights": weights, "task_options": {"scale": 4}, "precision": "fp32"}
    plain, consistent = (off(Restoration(method, "sr", consistent=one, **how)) for one in (False, True))  # type: ignore[arg-type]
    assert plain > 0.3 and consistent < 0.1


def test_there_must_be_something_to_agree_with(restore, tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadOption, match="task 'derain' measures nothing that a result could agree with"):
        Restoration("regression", "derain", consistent=True)
    with pytest.raises(BadOption, match="nothing of this picture was measured"):
        Restoration("regression", "denoise", consistent=True)(picture())
    write(picture(), tmp_path / "small.png")
    run = ("run", "small.png", "-m", "regression", "-t", "sr", "--scale", 2, "--consistent", "--json")
    done = restore(*run, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "small.restored.png").pixels.shape == (1, 3, 48, 64)
    assert restore("run", "small.png", "-m", "regression", "-t", "derain", "--consistent", cwd=tmp_path).returncode == 2


def test_a_kernel_is_used_by_what_makes_results_consistent_whatever_the_method() -> None:
    kernel = torch.ones(1, 5) / 5
    plain = Restoration("regression", "deblur", task_options={"kernel": kernel})
    with pytest.raises(BadOption, match="method 'regression' does not use --kernel"):
        plain(picture())
    consistent = Restoration("regression", "deblur", task_options={"kernel": kernel}, consistent=True, precision="fp32")
    without = Restoration("regression", "deblur", precision="fp32")
    operator = consistent.describe(picture()).operator
    assert operator is not None
    blurred = Picture(pixels=operator(0.25 + picture().pixels / 2))
    far, near = (operator(one(blurred).picture.pixels) - blurred.pixels for one in (without, consistent))
    assert near.square().mean() < far.square().mean() / 4
    assert used_by("regression", "deblur", "kernel", consistent=True), "so that scores of pairs take it too"


def test_no_score_agrees_with_a_kernel_that_only_the_damage_knows(pictures: Path, tmp_path: Path) -> None:
    write(picture(9, 9), tmp_path / "kernel.png")

    def scored(task: str, **options: object) -> Scoring:
        methods = {"m": Restoration("regression", task, consistent=True, task_options=options, precision="fp32")}
        scoring = Scoring(methods, pictures, limit=1)
        assert len(list(scoring)) == 1
        return scoring

    with pytest.raises(BadOption, match=r"m cannot be consistent with .*; name it with --kernel, or leave --consist"):
        scored("deblur")
    for scoring in (scored("deblur", kernel=str(tmp_path / "kernel.png")), scored("sr"), scored("inpaint")):
        assert not scoring.informed


def test_a_score_of_a_method_that_is_told_the_kernel_says_so(pictures: Path, caplog: pytest.LogCaptureFixture) -> None:
    methods = {"regression": Restoration("regression", "deblur"), "diffpir": Restoration("diffpir", "deblur", steps=1)}
    scoring = Scoring(methods, pictures, limit=1)
    list(scoring)
    assert [one.getMessage() for one in caplog.records if one.levelname == "WARNING"] == [
        "diffpir: given the operator that task deblur drew, which a user has to know"
    ]
    table = render(summarise(scoring), "text")
    assert "diffpir: diffpir (steps=1), weights denoising-ode/denoise, given the operator that was drawn" in table
    assert table.count("given the operator") == 1
