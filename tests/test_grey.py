"""A black-and-white photograph in the channels of colours comes back without a tint."""

from __future__ import annotations

from pathlib import Path

import torch
from forking import Run

from restoration import Picture, read, write
from restoration.picture import is_grey
from restoration.runtime import Restoration
from restoration.testing import scene

PLUGIN = """
import torch
from restoration import RestorerCard, TaskCard, hookimpl

class Tint:
    def __call__(self, observation, rng):
        yield observation.y * torch.tensor([0.9, 0.8, 0.4]).reshape(1, 3, 1, 1)

class Fade:
    def __call__(self, x, rng):
        return x.mean(dim=1, keepdim=True).expand_as(x)

@hookimpl
def register_restorers():
    yield RestorerCard(name="tint", factory="tinting:Tint", summary="s", needs_weights=False)

@hookimpl
def register_tasks():
    yield TaskCard(name="fade", factory="tinting:Fade", summary="s")
    yield TaskCard(name="colourise", factory="tinting:Fade", summary="s", colours=True)
"""


def grey() -> torch.Tensor:
    return scene(32, 40).mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)


def test_grey_is_the_same_in_all_channels_or_has_one():
    assert is_grey(grey()) and is_grey(grey()[:, :1])
    assert not is_grey(scene(8, 8))
    for channel in range(3):
        other = grey().clone()
        other[:, channel, 3, 4] += 1 / 255
        assert not is_grey(other)


def test_a_grey_picture_in_three_channels_is_restored_as_one_in_a_single_channel():
    restoration = Restoration("regression", "sr", task_options={"scale": 2}, precision="fp32")
    three, one = (restoration(Picture(pixels=pixels)).picture.pixels for pixels in (grey(), grey()[:, :1]))
    assert three.shape == (1, 3, 64, 80) and is_grey(three)
    assert torch.equal(three[:, :1], one)


def test_holes_of_any_colour_in_a_grey_picture_leave_no_tint():
    mask = torch.ones(1, 1, 32, 40)
    mask[..., 10:14, 8:30] = 0
    scribbled = torch.where(mask == 1, grey(), torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1))
    restoration = Restoration("regression", "inpaint", task_options={"mask": mask}, precision="fp32")
    assert is_grey(restoration(Picture(pixels=scribbled)).picture.pixels)


def test_a_task_whose_pictures_lack_their_colours_gets_them(restore: Run, tmp_path: Path):
    (tmp_path / "tinting.py").write_text(PLUGIN)
    write(Picture(pixels=grey()), tmp_path / "old.png")
    for task, kept in (("fade", True), ("colourise", False)):
        how = ("run", "-m", "tint", "-t", task, "old.png", "-o", f"{task}.png", "--accept")
        done = restore("--plugin", "tinting.py", *how, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert is_grey(read(tmp_path / f"{task}.png").pixels) is kept
