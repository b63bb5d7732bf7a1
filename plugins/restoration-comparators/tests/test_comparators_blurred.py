"""Networks that take blur away: their files are recognised, and they answer as the published code does."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

import pytest
import torch
from recognition import loaded, recognised
from restoration_comparators.deblurgan import DeblurGAN
from restoration_comparators.deepdeblur import halved
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from restoration import Restoration
from restoration.foreign.recognition import build
from restoration.picture import Picture
from restoration.testing import LayoutContract, picture

DATA = Path(__file__).with_name("data")
GAINS = {"deblurgan": 1.0, "deblurgan_dropout": 1.0, "deepdeblur": 0.7, "dbgan": 0.6}
"""The files of answers, and what their weights were scaled by."""


def filled(shapes: dict[str, list[int]], gain: float) -> dict[str, Tensor]:
    """Return tensors of names and shapes with values of a formula: waves of different phases, of the spread of He."""
    tensors = {}
    for place, (name, shape) in enumerate(sorted(shapes.items())):
        wave = torch.sin(0.7 * torch.arange(prod(shape), dtype=torch.float64) + place)
        scale = gain * (2 / prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.1
        tensors[name] = (scale * wave).reshape(shape).float()
    return tensors


def recorded(name: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the tensors of a network of the published code, and its picture and answer."""
    with safe_open(DATA / f"{name}.safetensors", "pt") as file:
        shapes = json.loads(file.metadata()["shapes"])
        return filled(shapes, GAINS[name]), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


class TestBlurredFiles(LayoutContract):
    name = "comparators"

    def files(self) -> list[dict[str, Tensor]]:
        return [recorded(name)[0] for name in GAINS]


@pytest.mark.parametrize("name", GAINS)
@torch.inference_mode()
def test_what_takes_blur_away_answers_as_the_published_code_does(name: str) -> None:
    state, vectors = recorded(name)
    found = recognised({f"module.{key}": value for key, value in state.items()})
    assert (found.tasks, found.method.name) == (("deblur",), "regression")
    answer = loaded(found)(vectors["x"]).clamp(0, 1)
    torch.testing.assert_close(answer, vectors["y"], atol=2e-5, rtol=0)
    assert (vectors["y"] - vectors["x"]).abs().mean() > 0.05, "a network that does nothing would pass"


def test_the_smaller_copies_of_deepdeblur_are_those_of_scikit_image() -> None:
    vectors = recorded("deepdeblur")[1]
    torch.testing.assert_close(halved(vectors["x"]), vectors["half"], atol=2e-6, rtol=0)
    tiny = picture(1, 3, 2, 2)  # mirrored more than once
    torch.testing.assert_close(halved(tiny).mean(), tiny.mean())


def test_statistics_that_a_file_of_deblurgan_has_counted_are_left_out() -> None:
    state, vectors = recorded("deblurgan")
    counted = {name: torch.full((4,), 9.0) for name in ("model.2.running_mean", "model.2.running_var")}
    found = recognised({**state, **counted, "model.2.num_batches_tracked": torch.tensor(5)})
    with torch.inference_mode():
        torch.testing.assert_close(loaded(found)(vectors["x"]).clamp(0, 1), vectors["y"], atol=2e-5, rtol=0)


def test_a_file_of_deblurgan_whose_blocks_have_one_convolution_lacks_the_second() -> None:
    state = {name: value for name, value in recorded("deblurgan")[0].items() if ".conv_block.5." not in name}
    found = recognised(state)
    lacking = build(found).state_dict().keys() - found.tensors.keys()
    assert lacking == {
        f"model.{block}.conv_block.5.{tensor}" for block in range(10, 19) for tensor in ("weight", "bias")
    }


@pytest.mark.parametrize("name", ["deblurgan", "deepdeblur", "dbgan"])
@torch.inference_mode()
def test_mixed_precision_ends_where_the_picture_is_made(name: str) -> None:
    state, vectors = recorded(name)
    with torch.autocast("cpu", torch.bfloat16):
        answer = loaded(recognised(state))(vectors["x"])
    assert answer.dtype == torch.float32
    assert (answer.clamp(0, 1) - vectors["y"]).abs().mean() < 0.02


@pytest.mark.parametrize("side", [1, 5, 9, 14])
@torch.inference_mode()
def test_pictures_of_any_size_keep_it(side: int) -> None:
    for name in ("deblurgan", "deepdeblur", "dbgan"):
        assert loaded(recognised(recorded(name)[0]))(picture(1, 3, side, side + 3)).shape == (1, 3, side, side + 3)


def test_deblurgan_in_windows_warns_that_it_looks_at_the_whole_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RESTORE_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "latest_net_G.safetensors"
    save_file(DeblurGAN(width=4, blocks=2).state_dict(), file)
    made = Restoration("regression", "deblur", weights=str(file), tile=64, precision="fp32")
    made(Picture(pixels=picture(1, 3, 72, 64)))
    assert "deblurgan looks at the whole picture at once: its windows will differ from it" in caplog.text
