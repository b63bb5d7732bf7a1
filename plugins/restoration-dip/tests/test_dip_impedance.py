"""The example of noise impedance, small: pictures are learned before noise."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from forking import python
from restoration_dip.networks.skip import SkipNet

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "examples" / "noise-impedance" / "noise_impedance.py"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.slow
def test_a_picture_is_learned_before_one_with_noise_then_shuffled_pixels_and_noise_last(tmp_path: Path) -> None:
    how = ("--side", "64", "--sigma", "50", "--steps", "60", "--device", "cpu", "--out", "plot.svg")
    done = python(SCRIPT, *how, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    protocol, head, *rows, out = done.stdout.splitlines()
    assert "hopper.png 64x64" in protocol and "seed 0" in protocol
    assert head.split()[:4] == ["iteration", "25", "50", "60"]
    shares = {row[:17].strip(): [float(number) for number in row[17:].split()] for row in rows}
    assert list(shares) == ["picture", "picture + noise", "shuffled pixels", "white noise"]
    assert [numbers[-1] for numbers in shares.values()] == [0.11, 0.18, 0.8, 1.0], "the reference"
    picture, noisy, shuffled, white = (numbers[2] for numbers in shares.values())
    assert picture < noisy - 0.03 and noisy < shuffled - 0.2 and shuffled < white
    assert picture < 0.5 and 0.97 < white < 1.01
    assert out == "plot.svg"
    check_plot(tmp_path / "plot.svg")


def check_plot(path: Path) -> None:
    """Four lines over an axis where each tenfold is as wide as the other."""
    svg = ElementTree.parse(path)
    lines = [line.get("d", "") for line in svg.iter(SVG + "path") if line.get("stroke-width") == "1.8"]
    assert [line.count("L") + line.count("M") for line in lines] == [60] * 4
    ticks = {text.text: float(text.get("x", "")) for text in svg.iter(SVG + "text") if text.text in ("1", "10", "100")}
    places = [ticks[number] for number in ("1", "10", "100") if number in ticks]
    steps = [float(point.split()[0]) for point in lines[0].replace("M", "L").split("L")[1:]]
    assert len(places) == 3 and abs((places[1] - places[0]) - (places[2] - places[1])) < 0.2
    assert abs(steps[0] - places[0]) < 0.2 and abs(steps[9] - places[1]) < 0.2


def test_its_network_is_that_of_the_paper() -> None:
    channels = (8, 16, 32, 64, 128)
    with torch.device("meta"):
        network = SkipNet(in_channels=3, down=channels, up=channels, skip=(0, 0, 0, 4, 4))
    assert sum(parameter.numel() for parameter in network.parameters()) == 572_827
    text = SCRIPT.read_text(encoding="utf-8")
    assert f"CHANNELS = {channels}" in text and "SKIPS = (0, 0, 0, 4, 4)" in text
