"""The table of `benchmarks/realism.py`: what holds, what does not, what was not measured, and the curve."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "realism_table.py"


@pytest.fixture
def realism(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("realism_table", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "realism_table", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def settings(realism: ModuleType, **sample: float) -> list[Any]:
    """Return settings that reach what x4 is to reach, but for what is said of the sample."""
    mean = {"psnr": 25.0, "fd": 100.0, "features": 3.0, "hf": -11.0, "evaluations": 1, "seconds": 0.1}
    half = {**mean, "psnr": 24.6, "fd": 48.0, "features": 2.8, "evaluations": 21}
    whole = {**mean, "psnr": 23.5, "fd": 30.0, "hf": -2.0, "evaluations": 20, "damaged": 7.0, "flat": 0.3}
    whole |= {"blocks": 0.8, "coverage": 0.9, **sample}
    return [
        realism.Setting("regression", None, mean),
        realism.Setting("realism 0.5", 0.5, half),
        realism.Setting("realism 1", 1.0, whole),
    ]


def test_all_holds_where_all_is_reached(realism: ModuleType) -> None:
    lines = realism.verdicts("sr", settings(realism)).splitlines()
    assert len(lines) == 11
    assert all(line.startswith("- holds: ") for line in lines), lines


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("fd", 34.0, "realism 1: FD at most 0.33 of regression's: 0.34"),
        ("psnr", 22.9, "realism 1: PSNR -2 dB or more: -2.1"),
        ("evaluations", 21, "evaluations of a sample, 20 at most: 21"),
        ("damaged", 1.0, "deviation of samples where damaged, 2 levels or more: 1"),
        ("flat", 0.5, "deviation of samples where intact and flat, below 0.5 levels: 0.5"),
        ("blocks", 0.5, "correlation of deviation and error in 8x8, 0.6 or more: 0.5"),
        ("coverage", 0.96, "coverage of 90 % intervals, 0.85 to 0.95: 0.96"),
        ("hf", 3.5, "high frequencies of a sample, within 3 dB: 3.5"),
    ],
)
def test_what_does_not_hold_is_said_with_its_number(realism: ModuleType, key: str, value: float, shown: str) -> None:
    lines = realism.verdicts("sr", settings(realism, **{key: value})).splitlines()
    assert [line for line in lines if not line.startswith("- holds")] == [f"- DOES NOT HOLD: {shown}"]


def test_what_was_not_measured_is_neither(realism: ModuleType) -> None:
    nan = float("nan")
    lines = realism.verdicts("deblur", settings(realism, flat=nan)).splitlines()
    assert "- not measured: deviation of samples where intact and flat, below 0.5 levels" in lines
    assert not [line for line in lines if "evaluations" in line], "only x4 has a limit for them"


def test_what_runs_have_written_is_read_again_and_drawn_together(realism: ModuleType, tmp_path: Path) -> None:
    for name, title in (("sr", "x4"), ("derain", "rain & wind")):
        found = realism.Found({name: settings(realism)}, {name: title}, ["`fd`: a distance"])
        found.write(tmp_path / name)
    both = realism.Found.read([tmp_path / name / "realism.json" for name in ("sr", "derain")])
    assert both.tasks == {"sr": settings(realism), "derain": settings(realism)}
    assert both.protocols == ["`fd`: a distance"]
    both.write(tmp_path)
    text = (tmp_path / "realism.md").read_text()
    assert "| realism 1 | 23.50 | 3.000 | 30.0 | -2.0 | 7.00 | 0.30 | 0.80 | 90% | 20 | 0.10 |" in text
    assert "does not judge that network alone" in text
    drawn = ElementTree.fromstring((tmp_path / "realism.svg").read_text())
    circles = [one for one in drawn.iter() if one.tag.endswith("circle")]
    assert len(circles) == 2 * 3, "each task from regression over 0.5 to a sample"
