"""A task of a plugin that knows its operator: all methods serve it that use one."""

from __future__ import annotations

import pytest

from restoration import read
from restoration.images import write
from restoration.picture import Picture
from restoration.testing import scene

PLUGIN = """
import torch
from restoration import CommandOption, Observation, TaskCard, hookimpl


class Mean:
    def __init__(self, taps):
        self.taps = taps

    def __call__(self, x):
        return sum(torch.roll(x, by, -1) for by in range(-(self.taps // 2), self.taps // 2 + 1)) / self.taps

    adjoint = __call__


class Rows:
    def __init__(self, *, taps: int = 5):
        self.operator = Mean(taps)

    def __call__(self, x, rng):
        return self.observe(x, rng).y

    def observe(self, x, rng):
        return Observation(y=self.operator(x), operator=self.operator, sigma=0.0)

    def describe(self, picture):
        return Observation(y=picture.pixels, operator=self.operator, sigma=0.0)


class Dark:
    def __call__(self, x, rng):
        return x / 2


@hookimpl
def register_tasks():
    taps = CommandOption(name="taps", help="number of columns", values="whole", describes=True, tells="operator")
    yield TaskCard(name="rows", factory="rows:Rows", summary="blurred along its rows", linear=True, asks=(taps,))
    yield TaskCard(name="dark", factory="rows:Dark", summary="dark")
"""


@pytest.fixture
def plugin(tmp_path):
    (tmp_path / "rows.py").write_text(PLUGIN)
    write(Picture(pixels=scene(40, 48)), tmp_path / "clean.png")
    return ("--plugin", tmp_path / "rows.py")


def test_methods_that_use_an_operator_serve_a_linear_task_of_a_plugin(restore, plugin, tmp_path):
    done = restore(*plugin, "degrade", "-t", "rows", "--taps", 7, "clean.png", "-o", "blurred", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    clean, y = (read(tmp_path / name).pixels for name in ("clean.png", "blurred/clean.png"))
    errors = []
    for method, steps in (("diffpir", 3), ("dip", 2)):
        how = ("-m", method, "-t", "rows", "--taps", 7, "--steps", steps, "--accept", "-o", f"{method}.png")
        done = restore(*plugin, "run", *how, "blurred/clean.png", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        errors.append(float((read(tmp_path / f"{method}.png").pixels - clean).square().mean()))
    assert errors[0] < 0.5 * float((y - clean).square().mean()), errors
    done = restore(*plugin, "run", "-m", "ddrm", "-t", "rows", "blurred/clean.png", cwd=tmp_path)
    assert "the singular values of a Mean are not known; take diffpir or dps" in done.stderr


def test_a_task_without_an_operator_is_refused_by_them_and_they_are_named_for_one(restore, plugin, tmp_path):
    done = restore(*plugin, "run", "-m", "diffpir", "-t", "dark", "clean.png", cwd=tmp_path)
    assert done.stderr == (
        "error: method 'diffpir' is made for sr, deblur, inpaint, denoise and other tasks that know their operator, "
        "not for dark\n"
    )
    done = restore(*plugin, "run", "-m", "ir-sde", "-t", "rows", "--taps", 3, "clean.png", cwd=tmp_path)
    assert "method 'ir-sde' does not use --taps; ddrm, diffpir, dip, dip-staged, dps do" in done.stderr
