"""The promises of every command, and what this one prints."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from click.testing import CliRunner
from restoration import Picture, write
from restoration.testing import CommandContract
from restoration_example.command import brightness


class TestBrightness(CommandContract):
    """The contract of a command, on the one that its card describes."""

    name = "example"


def test_it_prints_what_a_picture_is_like_and_goes_on_after_one_that_cannot_be_read(tmp_path: Path) -> None:
    write(Picture(pixels=torch.full((1, 3, 4, 5), 0.2)), tmp_path / "dark.png")
    pictures = [str(tmp_path / name) for name in ("nowhere.png", "dark.png")]
    done = CliRunner().invoke(brightness, [*pictures, "--json"], standalone_mode=False)
    assert done.return_value == 1
    facts = json.loads(done.stdout)
    assert (facts["width"], facts["height"], facts["brightness"]) == (5, 4, 0.2)
    assert "nowhere.png: No such file" in done.stderr
