"""The distributions as pip sees them: each builds from its own sources and brings what it needs with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from restoration import __version__, psnr, read

ROOT = Path(__file__).parents[1]
FOLDERS = [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]
PLUGINS = [folder.name for folder in FOLDERS[1:]]
RAIN = ROOT / "examples" / "derain"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
BUILD = """
import os, sys, tarfile
from pathlib import Path
from hatchling.build import build_sdist, build_wheel

wheels, sources, *folders = map(Path, sys.argv[1:])
for folder in folders:
    os.chdir(folder)
    archive = sources / build_sdist(str(sources))
    with tarfile.open(archive) as file:
        file.extractall(sources, filter="data")
    os.chdir(sources / archive.name.removesuffix(".tar.gz"))
    build_wheel(str(wheels))
"""
"""Makes the source distribution of each folder, and from that alone the wheel."""


def call(*command: object, code: int = 0, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("RESTORATION_PLUGINS", "PIP_FIND_LINKS"):
        environment.pop(name, None)
    done = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of every distribution, made from its source distribution."""
    place, sources = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("sources")
    call(sys.executable, "-c", BUILD, place, sources, *FOLDERS)
    return place


def environment(place: Path) -> Path:
    """Make an environment that sees the packages of others, and nothing of ours; return its Python.

    They lie beside it, so that pip takes them for installed and can neither replace nor remove them.
    """
    call(sys.executable, "-m", "venv", "--without-pip", place)
    others = place / "others"
    others.mkdir()
    for folder in {sysconfig.get_path("purelib"), *(path for path in sys.path if path.endswith("site-packages"))}:
        for entry in Path(folder).iterdir():
            if "restoration" not in entry.name and entry.suffix != ".pth" and not (others / entry.name).is_symlink():
                (others / entry.name).symlink_to(entry)
    (site,) = place.glob("**/site-packages")
    (site / "others.pth").write_text(f"{others}\n")
    return place / ("Scripts" if os.name == "nt" else "bin") / "python"


def install(python: Path, wheels: Path, *names: str) -> None:
    call(*PIP, "--python", python, "install", "--quiet", "--no-compile", "--no-index", "--find-links", wheels, *names)


def installed(python: Path) -> set[str]:
    listed = json.loads(call(*PIP, "--python", python, "list", "--format", "json").stdout)
    return {one["name"] for one in listed if one["name"].startswith("restoration-")}


@pytest.fixture(scope="module")
def core(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the toolbox and no plugin."""
    python = environment(tmp_path_factory.mktemp("core"))
    install(python, wheels, "restoration-toolbox")
    return python


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: "restoration-toolbox" if folder == ROOT else folder.name)
def test_a_wheel_made_from_the_source_distribution_has_all_that_belongs_to_it(folder: Path, wheels: Path) -> None:
    name = "restoration_toolbox" if folder == ROOT else folder.name.replace("-", "_")
    package = "restoration" if folder == ROOT else name
    with zipfile.ZipFile(wheels / f"{name}-{__version__}-py3-none-any.whl") as wheel:
        files = set(wheel.namelist())
        about = Metadata.from_email(wheel.read(f"{name}-{__version__}.dist-info/METADATA"), validate=True)
    assert about.license_expression == "MIT"
    assert about.license_files == ["LICENSE"]
    assert f"{name}-{__version__}.dist-info/licenses/LICENSE" in files
    assert about.description_content_type == "text/markdown"
    assert len(about.description or "") > 200
    assert about.project_urls
    assert about.requires_python == ">=3.11"
    sources = {path for path in (folder / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {str(path.relative_to(folder)) for path in sources} == {
        one for one in files if one.startswith(f"{package}/")
    }


def test_one_plugin_alone_brings_what_its_weights_need(wheels: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "environment")
    install(python, wheels, "restoration-ir-sde")
    needed = {"toolbox", "ir-sde", "regression", "networks", "tasks"}
    assert installed(python) == {f"restoration-{name}" for name in needed}
    out = tmp_path / "out.png"
    rainy = RAIN / "rain" / "hopper.png"
    restore = (python.parent / "restore", "run", "-m", "ir-sde", "-t", "derain", "--steps", "1", "--offline")
    call(*restore, rainy, "-o", out, cwd=tmp_path)
    clean = read(RAIN / "clean" / "hopper.png").pixels
    assert psnr(read(out).pixels, clean) > psnr(read(rainy).pixels, clean) + 6


def test_the_extra_all_brings_every_plugin(core: Path, wheels: Path) -> None:
    ask = (*PIP, "--python", core, "install", "--dry-run", "--quiet", "--report", "-", "--no-index")
    report = json.loads(call(*ask, "--find-links", wheels, "restoration-toolbox[all]").stdout)
    assert sorted(one["metadata"]["name"] for one in report["install"]) == PLUGINS


def test_the_toolbox_alone_has_its_pages(core: Path) -> None:
    assert installed(core) == {"restoration-toolbox"}
    pages = core.parent.parent / "share" / "doc" / "restoration-toolbox"
    for page in (
        "README.md",
        "CHANGELOG.md",
        "docs/plugins.md",
        "docs/pictures/derain.webp",
        "examples/recipes/README.md",
    ):
        assert (pages / page).read_bytes() == (ROOT / page).read_bytes()


ASKED = {
    "run -m ir-sde -t derain in.png": "pip install restoration-ir-sde",
    "run -m denoising-ode -t denoise in.png": "pip install 'restoration-toolbox[all]'",
    "degrade -t derain in.png -o out/": "pip install 'restoration-toolbox[all]'",
    "train regression -t derain --data . --out out": "pip install restoration-regression",
    "score -m dip -t denoise --data .": "pip install restoration-dip",
    "weights show ir-sde/derain --offline": "pip install restoration-ir-sde",
    "audit photos/ tests/": "pip install restoration-audit",
}
"""Commands that the toolbox alone cannot follow, and what they say must be installed."""

ASK = """
import json, sys
from click import ClickException
from restoration.cli.main import cli
from restoration.errors import RestorationError

for line in sys.argv[1:]:
    try:
        cli.main(line.split(), standalone_mode=False)
    except RestorationError as error:
        print(json.dumps([line, str(error)]))
    except ClickException as error:
        print(json.dumps([line, error.format_message()]))
"""
"""Follows command lines in one process, which imports torch once; prints each with its error."""


@pytest.fixture(scope="module")
def errors(core: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the toolbox alone says to each of `ASKED`."""
    place = tmp_path_factory.mktemp("asked")
    (place / "in.png").write_bytes((RAIN / "rain" / "hopper.png").read_bytes())
    return dict(json.loads(line) for line in call(core, "-c", ASK, *ASKED, cwd=place).stdout.splitlines())


@pytest.mark.parametrize("line", ASKED)
def test_with_the_toolbox_alone_a_command_says_what_to_install(line: str, errors: dict[str, str]) -> None:
    assert f"not all plugins are installed: {ASKED[line]}" in errors[line]
    assert "\n" not in errors[line]


def test_with_the_toolbox_alone_an_empty_list_says_what_to_install(core: Path, tmp_path: Path) -> None:
    done = call(core, "-m", "restoration", "methods", cwd=tmp_path)
    assert done.stderr == "no method is installed: pip install 'restoration-toolbox[all]'\n"
    assert done.stdout == "method\tsummary\tweights\n"
