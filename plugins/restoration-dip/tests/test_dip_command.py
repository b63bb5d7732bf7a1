"""`restore run -m dip`, as a process: what it prints and writes, and how it is cut short."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from forking import Process, Run, commands, start

from restoration import Picture, read, write
from restoration.testing import scene

DENOISE = ("run", "photo.png", "-m", "dip", "-t", "denoise")
TINY = ("--set", "network.down=[4,4]", "--set", "network.up=[4,4]", "--set", "network.skip=[4,4]")


@pytest.fixture(scope="module")
def restore() -> Iterator[Run]:
    with commands() as run:
        yield run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a noisy picture, `photo.png` of 24x20."""
    noise = 0.1 * torch.randn(1, 3, 20, 24, generator=torch.Generator().manual_seed(1))
    write(Picture(pixels=(scene(20, 24) + noise).clamp(0, 1)), tmp_path / "photo.png")
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_fit_tells_its_iteration_and_leaves_the_picture_alone(restore: Run, folder: Path) -> None:
    how = ("--quality", "fast", "--steps", "20", "--time-limit", "60s")
    done = restore(*DENOISE, *how, *TINY, cwd=folder)
    assert (done.returncode, done.stdout) == (0, "photo.restored.png\n"), done.stderr
    *notes, told = done.stderr.strip().splitlines()
    assert told.startswith("photo.png: iteration ") and ", of 20, " in told and "per second" in told
    assert all(note.startswith("note: ") for note in notes), "nothing else is said"
    assert read(folder / "photo.restored.png").pixels.shape == (1, 3, 20, 24)
    assert names(folder) == ["photo.png", "photo.restored.png"]


def test_quiet_is_quiet(restore: Run, folder: Path) -> None:
    done = restore(*DENOISE, "--steps", "2", *TINY, "-q", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")


def test_json_has_what_was_told_and_how_it_ended(restore: Run, folder: Path) -> None:
    done = restore(*DENOISE, "--steps", "3", "--stop", "none", "--json", *TINY, cwd=folder)
    facts = json.loads(done.stdout)
    assert facts["ended"] == "done" and facts["weights"] is None
    assert facts["told"]["iteration"] == facts["told"]["of"] == 3
    cut = restore(*DENOISE, "--steps", "1000000", "--time-limit", "0.2s", "--json", "--overwrite", *TINY, cwd=folder)
    facts = json.loads(cut.stdout)
    assert cut.returncode == 0 and facts["ended"] == "time limit" and facts["told"]["of"] < 1000000
    assert "ended by time limit" in cut.stderr


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("unet", ("--set", "network.width=8", "--set", "network.depth=2")),
        ("dip-unet", ("--set", "network.widths=[4,8,8]")),
    ],
)
def test_another_network_can_be_fitted(restore: Run, folder: Path, network: str, options: tuple[str, ...]) -> None:
    first, second = (
        restore(*DENOISE, "--steps", "2", *more, "-o", output, cwd=folder)
        for output, more in (("a.png", TINY), ("b.png", ("--network", network, *options)))
    )
    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert not torch.equal(read(folder / "a.png").pixels, read(folder / "b.png").pixels)


def mask(folder: Path, height: int, width: int) -> None:
    pixels = torch.ones(1, 1, height, width)
    pixels[..., 2:5, :] = 0
    write(Picture(pixels=pixels), folder / "mask.png")


def test_what_the_mask_shows_is_kept_and_its_holes_are_filled(restore: Run, folder: Path) -> None:
    mask(folder, 20, 24)
    how = ("run", "photo.png", "-m", "dip", "-t", "inpaint", "--mask", "mask.png", "--steps", "30")
    done = restore(*how, *TINY, cwd=folder)
    assert done.returncode == 0, done.stderr
    before, after = read(folder / "photo.png").pixels, read(folder / "photo.restored.png").pixels
    known = read(folder / "mask.png").pixels[0, 0] == 1
    assert torch.equal(after[..., known], before[..., known])
    assert float((after[..., ~known] - before[..., ~known]).abs().mean()) < 0.25, "neither black nor white"


def test_a_small_picture_is_made_larger(restore: Run, folder: Path) -> None:
    how = (
        "run",
        "photo.png",
        "-m",
        "dip",
        "-t",
        "sr",
        "--scale",
        "2",
        "--steps",
        "2",
        "--set",
        "downsampling=lanczos2",
    )
    assert restore(*how, *TINY, "--accept", cwd=folder).returncode == 0
    assert read(folder / "photo.restored.png").pixels.shape == (1, 3, 40, 48)


WRONG = {
    ("-t", "denoise", "--quality", "best"): "option 'quality' does not fit: 'best' is not one of fast, balanced, paper",
    ("-t", "denoise", "--stop", "soon"): "option 'stop' does not fit: 'soon' is not one of held-out, ",
    ("-t", "denoise", "--time-limit", "soon"): "'soon' is not a time such as 90s, 2m or 1h",
    ("-t", "denoise", "--scale", "4"): "task 'denoise' has no option 'scale'; it belongs to sr",
    ("-t", "denoise", "--weights", "dip/denoise", "--offline"): "dip/denoise",
    ("-t", "denoise", "--network", "skp"): "no network is named 'skp'; did you mean 'skip'?",
    ("-t", "denoise", "--flash", "missing.png"): "missing.png",
    ("-t", "derain"): "jpeg, deblur and other tasks that know their operator, not for derain",
    ("-t", "inpaint"): "where are the holes? Give --mask FILE",
    ("-t", "inpaint", "--mask", "mask.png"): "the mask mask.png is 8x4, the picture 24x20; make them one size",
    ("-t", "sr", "--scale", "99"): "scale must be from 2 to 16, not 99",
    ("-t", "deblur"): "it must know the kernel: --kernel FILE",
}


def test_what_is_wrong_is_one_line_each_and_nothing_is_written(restore: Run, folder: Path) -> None:
    mask(folder, 4, 8)
    before = names(folder)
    for arguments, message in WRONG.items():
        done = restore("run", "photo.png", "-m", "dip", *arguments, *TINY, "--steps", "2", cwd=folder)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
        assert len(lines) == 1 and message in lines[0], (arguments, done.stderr)
        assert "fault of the toolbox" not in lines[0] and done.returncode in (1, 2) and done.stdout == ""
        assert names(folder) == before, arguments


def wait_for(condition: Callable[[], bool], process: Process) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)


def test_ctrl_c_keeps_the_best_picture_so_far_and_leaves_no_preview(folder: Path) -> None:
    write(Picture(pixels=scene(20, 24, seed=1)), folder / "second.png")
    command = ["-m", "restoration", *DENOISE, "second.png", "--preview", "--steps", "10000000"]
    process = start(*command, "--stop", "none", *TINY, cwd=folder)
    preview = folder / "photo.restored.preview.png"
    wait_for(preview.exists, process)
    assert read(preview).pixels.shape == (1, 3, 20, 24), "the preview can be looked at while it works"
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert out == "photo.restored.png\n"
    *_, told, count, last = filter(None, errors.splitlines())
    assert told.startswith("photo.png: iteration ") and told.endswith("ended by Ctrl-C")
    assert (count, last) == ("done 1, skipped 0, failed 0, left 1", "interrupted")
    assert read(folder / "photo.restored.png").pixels.shape == (1, 3, 20, 24)
    assert names(folder) == ["photo.png", "photo.restored.png", "second.png"], "the second was not begun"
