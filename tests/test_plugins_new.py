"""`restore plugins new` writes a plugin that builds, installs, keeps its contract and restores, with nothing edited."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import torch
from forking import restore
from torch import Tensor

from restoration import Picture, psnr, read, write
from restoration.cli.new_plugin import KINDS, write_plugin
from restoration.errors import RestorationError
from restoration.testing import scene

NAME = "grain-of-salt"
NUMBER = 35
"""Tests of all templates: those of their contracts, and one or none of their own."""
HOUSE = Path(__file__).parent.parent
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


BUILD = """
import os, sys
from hatchling.build import build_wheel

wheels, *folders = sys.argv[1:]
for folder in folders:
    os.chdir(folder)
    build_wheel(wheels)
"""
"""Makes the wheel of each folder."""


def call(*command: str | Path, cwd: Path) -> str:
    """Run a command with one thread; return what it printed, or fail with it."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("RESTORATION_PLUGINS", None)
    ran = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def named(kind: str) -> str:
    return f"grain-of-{kind}"


def package(kind: str) -> str:
    return f"restoration_grain_of_{kind}"


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a new plugin of every kind."""
    place = tmp_path_factory.mktemp("new")
    for kind in KINDS:
        assert write_plugin(named(kind), place, kind)[0] == place / f"restoration-{named(kind)}" / "pyproject.toml"
    return place


@pytest.fixture(scope="module")
def wheels(plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheels of all new plugins."""
    place = tmp_path_factory.mktemp("wheels")
    call(sys.executable, "-c", BUILD, place, *plugins.iterdir(), cwd=place)
    found = sorted(place.glob("*.whl"))
    assert len(found) == len(KINDS)
    return found


@pytest.fixture(scope="module")
def python(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheels in it; all else it sees in the present one, so it works offline."""
    place = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", place / "venv", cwd=place)
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = place / "venv" / scripts / "python"
    call(*PIP, "--python", python, "install", "--no-deps", "--no-index", *wheels, cwd=place)
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place).strip())
    present = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    lines = [f"import site; site.addsitedir({path!r})" for path in sorted(present)]
    (site / "present.pth").write_text("\n".join(lines) + "\n")
    return python


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_bear_the_new_name_only(kind: str, plugins: Path) -> None:
    plugin = plugins / f"restoration-{named(kind)}"
    files = sorted(str(path.relative_to(plugin)) for path in plugin.rglob("*") if path.is_file())
    module = "restorer" if kind == "method" else kind
    assert files == [
        "README.md",
        "pyproject.toml",
        *sorted(f"{package(kind)}/{file}" for file in ("__init__.py", f"{module}.py", "py.typed")),
        f"tests/test_grain_of_{kind}.py",
    ]
    for path in files:
        text = (plugin / path).read_text()
        assert not re.search("example|KIND|TESTS|VERSION", text)
    assert f"A plugin for restoration: {KINDS[kind].words}." in (plugin / "pyproject.toml").read_text()


def test_the_code_passes_the_checks_of_the_house(plugins: Path) -> None:
    ruff = (sys.executable, "-m", "ruff")
    rules = "E,F,W,I,N,UP,B,A,C4,PIE,PT,RET,SIM,RUF,PERF"
    call(*ruff, "check", "--isolated", "--no-cache", "--line-length", "120", "--select", rules, ".", cwd=plugins)
    call(*ruff, "format", "--isolated", "--no-cache", "--line-length", "120", "--check", ".", cwd=plugins)
    packages = [f"restoration-{named(kind)}/{package(kind)}" for kind in KINDS]
    call(sys.executable, "-m", "mypy", "--strict", "--cache-dir", HOUSE / ".mypy_cache", *packages, cwd=plugins)


@pytest.mark.slow
def test_the_wheels_keep_the_contracts_in_a_fresh_environment(plugins: Path, python: Path, tmp_path: Path) -> None:
    where = call(python, "-c", f"import {package('method')} as one; print(one.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(python.parent.parent)
    tests = [plugins / f"restoration-{named(kind)}" / "tests" for kind in KINDS]
    done = call(python, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *tests, cwd=tmp_path)
    assert f"{NUMBER} passed" in done


HOW = f"--method {named('method')} --task denoise"
LINES = {
    "help": "--help",
    "check": "plugins --check --json",
    "metrics": "metrics --json",
    "run": f"run {HOW} noisy/1.png -o ../out.png",
    "score": f"score {HOW} --data . --metrics {named('metric')} --json",
    "command": f"{named('command')} noisy/1.png --json",
}


@pytest.fixture(scope="module")
def noisy() -> Tensor:
    clean = scene(48, 64)
    draw = torch.rand(clean.shape, generator=torch.Generator().manual_seed(0))
    return clean.masked_fill(draw < 0.05, 0.0).masked_fill(draw > 0.95, 1.0)


@pytest.fixture(scope="module")
def place(noisy: Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clean picture and a noisy one."""
    place = tmp_path_factory.mktemp("pictures")
    for name, pixels in (("clean", scene(48, 64)), ("noisy", noisy)):
        (place / name).mkdir()
        write(Picture(pixels=pixels), place / name / "1.png")
    return place


@pytest.fixture(scope="module")
def answers(wheels: list[Path], place: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the commands of `LINES` print where all the new plugins are on the path, as their wheels have them."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as files:
            files.extractall(unpacked)
    environment = {**os.environ, "RESTORATION_PLUGINS": ",".join(["tasks", *map(named, KINDS)])}
    printed = {}
    for name, line in LINES.items():
        first = f"import sys; sys.path.append({str(unpacked)!r})"
        done = restore(*line.split(), cwd=place, env=environment, first=first)
        assert done.returncode == 0, done.stderr
        printed[name] = done.stdout
    return printed


def test_everything_is_listed_and_checked(answers: dict[str, str]) -> None:
    rows = {row["name"]: row for row in json.loads(answers["check"])}
    for kind in KINDS:
        assert (rows[named(kind)]["state"], rows[named(kind)]["brings"]) == ("ok", [f"{kind} {named(kind)}"])
    assert f"{named('command')}  Print the size" in answers["help"]
    assert named("metric") in [card["name"] for card in json.loads(answers["metrics"])]


def test_the_command_line_restores_scores_and_commands_with_them(
    answers: dict[str, str], noisy: Tensor, place: Path
) -> None:
    clean = scene(48, 64)
    assert (place.parent / "out.png").exists()
    assert psnr(read(place.parent / "out.png").pixels, clean) > psnr(noisy, clean) + 6
    scores = json.loads(answers["score"])["methods"]
    means = {name: one["metrics"][named("metric")]["mean"] for name, one in scores.items()}
    assert means["input"] == pytest.approx(float((noisy - clean).abs().mean()), abs=1e-2)
    assert means[named("method")] < means["input"] / 2
    facts = json.loads(answers["command"])
    assert (facts["width"], facts["height"]) == (64, 48)
    assert facts["brightness"] == pytest.approx(float(noisy.mean()), abs=1e-2)


def test_a_name_may_have_that_of_the_template_in_it(tmp_path: Path) -> None:
    files = write_plugin("for-example-counter-example", tmp_path, "schedule")
    package = files[0].parent / "restoration_for_example_counter_example"
    assert {path.parent.name for path in files} >= {package.name, "tests"}
    assert f'= "{package.name}"' in files[0].read_text()
    assert f'factory="{package.name}.schedule:Straight"' in (package / "__init__.py").read_text()


@pytest.mark.parametrize("name", ["", "Median", "my_filter", "2nd", "-a", "a-", "a--b", "a b", "../a", "é", "a\n"])
def test_a_name_that_cannot_be_one_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RestorationError, match="cannot name a plugin; use lower-case letters, digits and hyphens"):
        write_plugin(name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["toolbox", "core", "ir-sde", "denoising-sde"])
def test_a_name_that_is_installed_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RestorationError, match="is already installed here"):
        write_plugin(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / f"restoration-{NAME}").mkdir()
    with pytest.raises(RestorationError, match="restoration-grain-of-salt is already there"):
        write_plugin(NAME, tmp_path)
    assert not list((tmp_path / f"restoration-{NAME}").iterdir())


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RestorationError, match="cannot make"):
        write_plugin(NAME, tmp_path / "file")
