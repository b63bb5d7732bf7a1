"""`restore run` names a result that is not plausible, and keeps it under another name until it is accepted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import pyvips
import torch
from forking import Run

from restoration.errors import BadPlugin
from restoration.images import read, write
from restoration.interfaces import Limits
from restoration.picture import Picture
from restoration.registry import registry
from restoration.registry.cards import TaskCard
from restoration.registry.validation import checked
from restoration.testing import scene

BEGUN = ("-m", "dip", "-t", "denoise", "--steps", "1", "--quality", "fast")
"""The first step of a fit is a grey picture, whatever the network."""
BEGUN += tuple(f"--set=network.{part}=[4,4]" for part in ("down", "up", "skip"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place, name in enumerate(("one.png", "two.png")):
        noise = 0.05 * torch.randn(1, 3, 64, 80, generator=torch.Generator().manual_seed(place))
        write(Picture(pixels=(scene(64, 80) + noise).clamp(0, 1)), tmp_path / name)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_doubtful_result_is_named_and_kept_apart(restore: Run, folder: Path) -> None:
    done = restore("run", "one.png", *BEGUN, cwd=folder)
    assert done.returncode == 1 and done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: one.png: the result is not plausible: a part at ")
    assert line.endswith(" it is kept as one.restored.doubtful.png; --accept takes it")
    assert names(folder) == ["one.png", "one.restored.doubtful.png", "two.png"]
    before = (folder / "one.restored.doubtful.png").read_bytes()
    again = restore("run", ".", *BEGUN, cwd=folder)
    assert again.returncode == 1 and again.stderr.count("not plausible") == 4, "each once, and once more in the end"
    assert names(folder) == ["one.png", "one.restored.doubtful.png", "two.png", "two.restored.doubtful.png"]
    assert (folder / "one.restored.doubtful.png").read_bytes() == before


def test_an_accepted_result_is_a_result_and_says_what_was_doubted(restore: Run, folder: Path) -> None:
    done = restore("run", "one.png", *BEGUN, "--accept", cwd=folder)
    assert done.stdout == "one.restored.png\n" and "accepted, though a part at " in done.stderr
    facts = json.loads(restore("run", "two.png", *BEGUN, "--accept", "--json", cwd=folder).stdout)
    assert facts["output"] == "two.restored.png" and facts["doubts"]
    assert names(folder) == ["one.png", "one.restored.png", "two.png", "two.restored.png"]


def test_nothing_doubtful_goes_to_stdout(restore: Run, folder: Path) -> None:
    done = restore("run", "one.png", *BEGUN, "-o", "-", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing was written; --accept takes it" in done.stderr and names(folder) == ["one.png", "two.png"]


def test_a_page_of_many_frames_says_which_is_doubted(restore: Run, folder: Path) -> None:
    pages = [pyvips.Image.new_from_file(str(folder / name)) for name in ("one.png", "two.png")]
    pyvips.Image.arrayjoin(pages, across=1).tiffsave(str(folder / "both.tif"), page_height=64)
    done = restore("run", "both.tif", *BEGUN, cwd=folder)
    assert done.returncode == 1 and "picture 1: a part at" in done.stderr and "picture 2: a part at" in done.stderr
    assert "both.restored.doubtful.tif" in names(folder)


def test_shipped_weights_are_not_doubted(restore: Run, folder: Path) -> None:
    done = restore("run", "one.png", "two.png", "-m", "regression", "-t", "denoise", "--json", cwd=folder)
    assert all(json.loads(line)["doubts"] == [] for line in done.stdout.splitlines())
    assert read(folder / "one.restored.png").pixels.shape == (1, 3, 64, 80)


@pytest.mark.parametrize("limits", [Limits(darker=-1), Limits(structure=float("nan"))])
def test_limits_that_are_none_are_refused(limits: Limits) -> None:
    card = registry().card(TaskCard, "denoise")
    with pytest.raises(BadPlugin, match=r"register_tasks brought a card 'denoise': its limits .* cannot be"):
        checked(replace(card, limits=limits), TaskCard, "register_tasks")


def test_a_limit_may_be_a_whole_number_or_none() -> None:
    card = replace(registry().card(TaskCard, "denoise"), limits=Limits(darker=8, lighter=None, structure=0.5))
    assert checked(card, TaskCard, "register_tasks").limits.darker == 8
