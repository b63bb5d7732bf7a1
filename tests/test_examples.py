"""The examples run, and the gallery's page shows the commands that made its pictures."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from forking import python
from small import picture

from restoration.images import write

ROOT = Path(__file__).parents[1]
STUDIES = {
    "reverse_process.py": ["--steps", "3", "--limit", "1"],
    "evaluations.py": ["--steps", "1", "2", "--limit", "1"],
    "sde_and_ode.py": ["--sigmas", "25", "--limit", "1"],
    "training_curves.py objectives": ["--steps", "4", "--points", "2", "--evaluations", "2", "--width", "4"],
    "training_curves.py schedules": ["--steps", "4", "--points", "2", "--evaluations", "2", "--width", "4"],
    "self_stopping.py": ["--size", "32", "--steps", "20", "--limit", "1", "--rules"],
    "staged_dip.py": ["--fast", "--size", "32", "--steps", "6", "--runs", "1", "12"],
    "staged_dip.py --compare": ["--fast", "--size", "32", "--steps", "6", "--limit", "1"],
}


def run_study(study: str, options: list[str], out: Path) -> str:
    name, *which = study.split()
    done = python(ROOT / "examples" / "studies" / name, *which, *options, "--out", out, cwd=out.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "study", ["reverse_process.py", pytest.param("training_curves.py objectives", marks=pytest.mark.slow)]
)
def test_a_study_prints_its_protocol_and_draws_a_plot(study, tmp_path):
    out, options = tmp_path / "plot.svg", list(STUDIES[study])
    if "training" in study:
        options += ["--photos", str(tmp_path)]
        for seed in range(4):
            write(picture(72, 80, seed), tmp_path / f"{seed}.png")
    printed = run_study(study, options, out)
    assert "PSNR (RGB, border 0)" in printed and "seed 0" in printed
    assert out.read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES)
def test_every_study_runs(study, tmp_path):
    assert "PSNR" in run_study(study, STUDIES[study], tmp_path / "plot.svg")


def test_noise2noise_in_small_prints_its_loss_and_psnr_and_draws_them(tmp_path):
    for seed in range(3):
        write(picture(72, 80, seed), tmp_path / f"{seed}.png")
    how = ["--photos", ".", "--steps", "4", "--width", "6", "--pictures", "40", "--threads", "1", "--precision", "fp32"]
    done = python(ROOT / "examples" / "noise2noise_small.py", *how, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    protocol, noisy, _, *lines, plot = done.stdout.splitlines()
    assert protocol.startswith("40 pairs of 32x32, sigma 50, unclipped, seed 0") and "PSNR (RGB, border 0)" in noisy
    assert [line.split()[:2] for line in lines] == [["1", "3"], ["2", "4"]]
    assert (tmp_path / plot).read_text(encoding="utf-8").startswith("<svg")


GALLERIES = {
    "gallery": ("gallery.sh", "gallery", 20),
    "deep-image-prior": ("deep-image-prior.sh", "gallery/dip", 15),
}


@pytest.mark.parametrize("page", GALLERIES)
def test_every_command_under_a_picture_is_in_the_script_that_makes_it(page):
    name, work, number = GALLERIES[page]
    script = (ROOT / "examples" / name).read_text(encoding="utf-8")
    photos = re.search("^photos=(.*)$", script, re.MULTILINE)
    assert photos is not None
    script = script.replace("$photos", photos[1]).replace("$work", work).replace(" --overwrite", "")
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    commands = [line for line in re.findall(r"^restore .*$", text, re.MULTILINE) if f" {work}/" in line]
    assert len(commands) >= number
    for command in commands:
        assert command in script, command
    for shown in re.findall(r"\((pictures/.*?)\)", text):
        assert (ROOT / "docs" / shown).is_file(), shown


@pytest.mark.parametrize("page", GALLERIES)
def test_the_script_of_a_gallery_can_be_read_by_a_shell(page):
    subprocess.run(["sh", "-n", str(ROOT / "examples" / GALLERIES[page][0])], check=True)
