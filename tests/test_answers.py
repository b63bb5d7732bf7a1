"""Stdout holds answers alone, whatever the code of plugins prints while it works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forking import Run

PLUGIN = """
import os
import torch
from restoration import MetricCard, NetworkCard, RestorerCard, TaskCard, hookimpl


class Loud(torch.nn.Module):
    def __init__(self, *, in_channels: int = 3, channels: int = 3):
        super().__init__()
        print("network made")
        self.layer = torch.nn.Conv2d(in_channels, channels, 1)

    def forward(self, x):
        print("network called")
        return self.layer(x)


class Same:
    def __init__(self, *, radius: int = 1):
        os.write(1, b"method made")

    def __call__(self, observation, rng):
        os.write(1, b"method called")
        yield observation.y * 0.9


class Dark:
    def __call__(self, x, rng):
        print("damaged")
        return x * 0.5


def loud(image, clean):
    print("measured")
    return float((image - clean).abs().mean())


@hookimpl
def register_networks():
    yield NetworkCard(name="loud", factory="loudly:Loud", summary="s")

@hookimpl
def register_restorers():
    yield RestorerCard(name="same", factory="loudly:Same", summary="s", needs_weights=False)

@hookimpl
def register_tasks():
    yield TaskCard(name="dark", factory="loudly:Dark", summary="s")

@hookimpl
def register_metrics():
    yield MetricCard(name="loud", factory="loudly:loud", summary="s")
"""
QUICK = ("--steps", 1, "--batch", 1, "--patch", 16, "--held-out", 1, "--workers", 0)
LINES = {
    "score": ("-m", "same", "-t", "dark", "--data", "pictures", "--limit", 1, "--metrics", "loud", "--json"),
    "run": ("-m", "same", "-t", "dark", "--accept", "--json", "pictures/0.png", "-o", "made/run.png"),
    "degrade": ("-t", "dark", "pictures/0.png", "-o", "made/dark", "--json"),
    "train": ("regression", "-t", "dark", "--network", "loud", "--data", "pictures", "--out", "made/weights", *QUICK),
}


@pytest.mark.parametrize("command", LINES)
def test_what_plugins_print_while_they_work_is_no_answer(
    command: str, restore: Run, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "loudly.py").write_text(PLUGIN)
    (tmp_path / "pictures").symlink_to(pictures)
    done = restore("--plugin", "loudly.py", command, *LINES[command], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "made/weights\n" if command == "train" else json.loads(done.stdout)
    assert any(word in done.stderr for word in ("called", "damaged", "measured"))
