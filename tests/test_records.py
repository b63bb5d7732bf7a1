"""What a training leaves beside its weights, and what it shows while it runs."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from forking import start
from msgspec.structs import replace
from small import SMALL

from restoration.cli.watch import chart, numbers
from restoration.images import read
from restoration.recipe import Part, default_recipe
from restoration.training.loop import train
from restoration.training.records import BOARD, CHECKPOINT, CURVES, LOG, PREVIEW, Records, curves, grid, read_log
from restoration.training.settings import Training
from restoration.weights import FILES

QUICK = Training(
    steps=6, batch=2, patch=16, warmup=2, held_out=1, validate_every=4, checkpoint_every=3, log_every=3, lr=0.01
)
LINE = {"step": 3, "loss": 0.5, "lr": 0.01, "steps_per_second": 2.0, "seconds": 1.5}


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    recipe = replace(default_recipe("regression", "denoise"), network=Part("nafnet-compact", SMALL))
    train(recipe, pictures, out, QUICK)
    return out


def test_the_log_has_a_line_every_so_often_and_psnr_where_it_was_measured(trained):
    lines = [json.loads(line) for line in (trained / LOG).read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines] == [3, 4, 6]
    assert ["psnr_rgb" in line for line in lines] == [False, True, True]
    assert [line["lr"] for line in lines] == [QUICK.rate(step) for step in (2, 3, 5)]
    for line in lines:
        assert line["loss"] > 0
        assert line["steps_per_second"] > 0


def test_weights_for_the_hub_are_three_files_and_the_records_are_not_among_them(trained):
    records = {CHECKPOINT, LOG, PREVIEW, CURVES, BOARD}
    assert {path.name for path in trained.iterdir()} - {BOARD} == {*FILES, *records} - {BOARD}
    assert not records & set(FILES)


def test_the_preview_shows_degraded_restored_and_clean_side_by_side(trained, pictures):
    shown = read(trained / PREVIEW).pixels
    assert shown.shape == (1, 3, 40, 3 * 48 + 2 * 4)
    originals = [read(path).pixels for path in sorted(pictures.iterdir())]
    assert any(torch.equal(shown[..., -48:], original) for original in originals)
    assert bool((shown[..., 48:52] == 1).all())
    assert not torch.equal(shown[..., :48], shown[..., -48:])


def test_a_grid_puts_smaller_pictures_on_white():
    black, dark = torch.zeros(1, 3, 2, 3), torch.full((1, 3, 4, 2), 0.25)
    both = grid([[black, black], [dark]])
    assert both.shape == (1, 3, 2 * 4 + 4, 2 * 3 + 4)
    assert both.sum() == pytest.approx(3 * (12 * 10 - 2 * 6 - 0.75 * 8))
    assert bool((both[..., 8:12, 0:2] == 0.25).all())


def test_the_curves_show_what_the_log_says(trained):
    svg = (trained / CURVES).read_text(encoding="utf-8")
    root = ElementTree.fromstring(svg)
    assert svg == curves(read_log(trained))
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 3 + 2
    assert "PSNR in validation" in svg


def test_lines_past_the_checkpoint_and_torn_ones_leave_the_log_and_the_others_stay_as_they_are(tmp_path):
    first = json.dumps(LINE) + "\n"
    text = first + '{"step": 5, "loss": 0.123456789012345\n' + json.dumps({**LINE, "step": 9}) + '\n{"step": 10, "lo'
    (tmp_path / LOG).write_text(text, encoding="utf-8")
    (tmp_path / f".{CURVES}.0a1b2c3d.part").touch()
    (tmp_path / ".mine.part").touch()
    records = Records(tmp_path, 8, 4.0)
    assert (tmp_path / LOG).read_text(encoding="utf-8") == first
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine.part", LOG]
    records.add(step=12, loss=0.25, lr=0.02, seconds=6.0, psnr=30.5)
    added = {**LINE, "step": 12, "loss": 0.25, "lr": 0.02, "seconds": 6.0, "psnr_rgb": 30.5}
    assert read_log(tmp_path) == [LINE, added]
    records.close()


def test_tensorboard_reads_the_numbers_and_pictures_and_forgets_those_of_steps_made_again(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    rows = [[torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)]]
    for begin, loss in ((0, 0.5), (10, 0.25)):
        records = Records(tmp_path, begin)
        for step in (begin + 10, begin + 20):
            records.add(step=step, loss=loss, lr=0.1, seconds=step, psnr=20 + loss)
        records.draw(begin + 20, rows)
        records.close()
    events = EventAccumulator(str(tmp_path / BOARD))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"loss", "lr", "psnr_rgb", "steps_per_second"}
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(10, 0.5), (20, 0.25), (30, 0.25)]
    assert [event.value for event in events.Scalars("psnr_rgb")] == [20.5, 20.25, 20.25]
    assert events.Images("degraded, restored, clean")[-1].width == 12


def test_one_process_needs_neither_accelerate_nor_tensorboard_nor_matplotlib(pictures, tmp_path, restore):
    code = "import sys\nfor name in ('accelerate', 'tensorboard', 'matplotlib'): sys.modules[name] = None\n"
    (tmp_path / "without.py").write_text(code, encoding="utf-8")
    command = ["--plugin", tmp_path / "without.py", "train", "regression", "--task", "denoise", "--data", pictures]
    command += ["--steps", 2, "--batch", 2, "--patch", 16, "--network", "dncnn", "--set", "network.depth=2"]
    done = restore(*command, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*FILES, CHECKPOINT, LOG, PREVIEW, CURVES}
    asked = restore(*command, "--out", tmp_path / "other", "--processes", 2)
    assert asked.returncode == 2
    assert asked.stderr == "error: --processes needs accelerate: pip install 'restoration-toolbox[train]'\n"


def test_a_chart_is_a_curve_of_dots_between_its_lowest_and_highest_value():
    drawn = chart([(0, 1.0), (7, 4.0)], width=4, height=2).splitlines()
    assert drawn == ["       4 ⠀⠀⡠⠊", "       1 ⡠⠊⠀⠀", "         0  7"]
    flat = chart([(5, 2.0)], width=2, height=2).splitlines()
    assert flat[0].startswith("       2 ")
    assert chart([(0, math.nan), (1, -1.0)], log=True) == "no number yet"


def test_the_latest_numbers_and_the_best_are_on_one_line():
    lines = [{**LINE, "psnr_rgb": 30.0}, {**LINE, "step": 6, "psnr_rgb": 29.0}, {"step": 9, "loss": 0.125}]
    assert numbers(lines) == "step 9   loss 0.125   PSNR 29.00 dB, best 30.00 at step 3"
    assert numbers([LINE]) == "step 3   loss 0.5   lr 0.01   2 steps/s"


def watched(pictures: Path, out: Path) -> list[str]:
    words = ["train", "regression", "--task", "denoise", "--data", str(pictures), "--out", str(out), "--watch"]
    words += ["--steps", "6", "--batch", "1", "--patch", "16", "--network", "dncnn", "--set", "network.depth=2"]
    words += ["--log-every", "2", "--validate-every", "3", "--checkpoint-every", "3", "--device", "cpu"]
    return words


def test_watching_without_a_terminal_is_a_line_for_each_of_the_log(pictures, tmp_path, restore):
    done = restore(*watched(pictures, tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [f"step {n} of 6" for n in (2, 4, 6)]
    assert done.stdout == f"{tmp_path / 'out'}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="has no pty")
def test_watching_on_a_terminal_shows_curves_and_numbers(pictures, tmp_path):
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "110", "LINES": "40"}
    command = ["-m", "restoration", *watched(pictures, tmp_path / "out")]
    process = start(*command, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    while chunk := read_some(ours):
        seen += chunk
    os.close(ours)
    assert process.wait() == 0
    text = seen.decode()
    assert "PSNR in validation, dB" in text
    assert "best" in text
    assert any("⠁" <= letter <= "⣿" for letter in text)
    assert text.rstrip().endswith("\x1b[?25h"), "the cursor is back"


def read_some(descriptor: int) -> bytes:
    """Read from a terminal; when its other end is closed that is an error, or nothing."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
