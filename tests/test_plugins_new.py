"""`restore plugins new` writes a plugin that builds, installs, keeps its contract and restores, with nothing edited."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

from restoration import Picture, psnr, read, write
from restoration.cli.new_plugin import write_plugin
from restoration.errors import RestorationError
from restoration.testing import scene

NAME = "grain-of-salt"
PACKAGE = "restoration_grain_of_salt"
HOUSE = Path(__file__).parent.parent
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def call(*command: str | Path, cwd: Path) -> str:
    """Run a command with one thread; return what it printed, or fail with it."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("RESTORATION_PLUGINS", None)
    ran = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a new plugin."""
    return write_plugin(NAME, tmp_path_factory.mktemp("new"))[0].parent


@pytest.fixture(scope="module")
def python(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the plugin's wheel in it; all else it sees in the present one, so it works offline."""
    place = tmp_path_factory.mktemp("environment")
    call(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", place, plugin, cwd=place)
    (wheel,) = place.glob("*.whl")
    call(sys.executable, "-m", "venv", "--without-pip", place / "venv", cwd=place)
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = place / "venv" / scripts / "python"
    call(*PIP, "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=place)
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place).strip())
    present = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    lines = [f"import site; site.addsitedir({path!r})" for path in sorted(present)]
    (site / "present.pth").write_text("\n".join(lines) + "\n")
    return python


def test_the_files_bear_the_new_name_only(plugin: Path) -> None:
    files = sorted(str(path.relative_to(plugin)) for path in plugin.rglob("*") if path.is_file())
    assert files == [
        "README.md",
        "pyproject.toml",
        f"{PACKAGE}/__init__.py",
        f"{PACKAGE}/py.typed",
        f"{PACKAGE}/restorer.py",
        "tests/test_grain_of_salt.py",
    ]
    assert plugin.name == f"restoration-{NAME}"
    for path in files:
        assert "example" not in (plugin / path).read_text()


def test_the_code_passes_the_checks_of_the_house(plugin: Path) -> None:
    ruff = (sys.executable, "-m", "ruff")
    rules = "E,F,W,I,N,UP,B,A,C4,PIE,PT,RET,SIM,RUF,PERF"
    call(*ruff, "check", "--isolated", "--no-cache", "--line-length", "120", "--select", rules, ".", cwd=plugin)
    call(*ruff, "format", "--isolated", "--no-cache", "--line-length", "120", "--check", ".", cwd=plugin)
    call(sys.executable, "-m", "mypy", "--strict", "--cache-dir", HOUSE / ".mypy_cache", PACKAGE, cwd=plugin)


def test_the_wheel_keeps_the_contract_in_a_fresh_environment(plugin: Path, python: Path, tmp_path: Path) -> None:
    where = call(python, "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(python.parent.parent)
    said = call(python, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", plugin / "tests", cwd=tmp_path)
    assert "3 passed" in said


def test_the_command_line_restores_with_it(python: Path, tmp_path: Path) -> None:
    clean = scene(48, 64)
    draw = torch.rand(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = clean.masked_fill(draw < 0.05, 0.0).masked_fill(draw > 0.95, 1.0)
    write(Picture(pixels=noisy), tmp_path / "in.png")
    restore = (python, "-m", "restoration")
    assert NAME in call(*restore, "methods", cwd=tmp_path)
    call(*restore, "run", "--method", NAME, "--task", "denoise", "in.png", "-o", "out.png", cwd=tmp_path)
    assert psnr(read(tmp_path / "out.png").pixels, clean) > psnr(noisy, clean) + 6


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
