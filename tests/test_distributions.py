"""Every distribution says what it needs: what its code imports, and what its own recipes name; no less and no more."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from restoration import __version__
from restoration.recipe import Part
from restoration.registry import registry
from restoration.registry.cards import (
    Card,
    NetworkCard,
    ObjectiveCard,
    RestorerCard,
    SamplerCard,
    ScheduleCard,
    TaskCard,
    WeightsCard,
)
from restoration.weights import bundled

ROOT = Path(__file__).parents[1]
TOOLBOX = "restoration-toolbox"
FOLDERS = {TOOLBOX: ROOT, **{path.parent.name: path.parent for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))}}
PLUGINS = [name for name in FOLDERS if name != TOOLBOX]
KINDS: dict[str, type[Card]] = {
    "method": RestorerCard,
    "task": TaskCard,
    "network": NetworkCard,
    "schedule": ScheduleCard,
    "objective": ObjectiveCard,
    "sampler": SamplerCard,
}
IMPORTERS = ("import_module", "find_spec", "package")
"""Functions that import what their first argument names."""

COMMANDS = {"pytest"}
"""What an extra brings for its command, and no code imports."""

OURS = r"restoration-[a-z0-9-]+"


def project(name: str) -> dict[str, Any]:
    """Return the table `project` of a distribution's pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((FOLDERS[name] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def package(name: str) -> Path:
    return FOLDERS[name] / ("restoration" if name == TOOLBOX else name.replace("-", "_"))


def declared(name: str) -> set[str]:
    """Return the names that a distribution depends on."""
    return {canonicalize_name(Requirement(text).name) for text in project(name)["dependencies"]}


def extras(name: str) -> set[str]:
    """Return the names that the extras of a distribution add."""
    texts = [text for extra in project(name).get("optional-dependencies", {}).values() for text in extra]
    return {canonicalize_name(Requirement(text).name) for text in texts}


def third_party(names: set[str]) -> set[str]:
    return {name for name in names if not re.fullmatch(OURS, name)}


@cache
def imports(folder: Path) -> set[str]:
    """Return the distributions of others that the code of a package imports, anywhere in it, whenever that happens.

    A tensor's `.numpy()` and `torch.from_numpy` need numpy, torch's writer for TensorBoard needs TensorBoard.
    """
    modules = set()
    for path in folder.rglob("*.py"):
        if "plugin_template" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                modules |= {name.partition(".")[0] for name in named(node)}
    foreign = {name for name in modules - sys.stdlib_module_names if not re.fullmatch(r"restoration\w*", name)}
    return {canonicalize_name(distributions().get(name, [name])[0]) for name in foreign}


@cache
def distributions() -> Mapping[str, list[str]]:
    """Return which distributions bring a module."""
    return metadata.packages_distributions()


def named(node: ast.AST) -> set[str]:
    """Return the modules that a piece of code imports by itself."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {str(node.module)} | ({"tensorboard"} if node.module == "torch.utils.tensorboard" else set())
    if isinstance(node, ast.Attribute) and node.attr in ("numpy", "from_numpy"):
        return {"numpy"}
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).rpartition(".")[2] in IMPORTERS:
        first = node.args[0]
        return {first.value} if isinstance(first, ast.Constant) and isinstance(first.value, str) else set()
    return set()


@pytest.mark.parametrize("name", FOLDERS)
def test_what_a_distribution_imports_it_declares(name: str) -> None:
    assert imports(package(name)) - declared(name) - extras(name) == set()


@pytest.mark.parametrize("name", FOLDERS)
def test_what_a_distribution_declares_it_imports(name: str) -> None:
    assert third_party(declared(name) | extras(name)) - imports(package(name)) - COMMANDS == set()


def test_imports_are_seen_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import timm.layers\n"
        "def late(tensor):\n    from huggingface_hub import hf_hub_download\n    return tensor.numpy()\n"
        "import importlib, restoration.cli, restoration_dip\n"
        "importlib.import_module('torchvision.models')\n"
        "from torch.utils.tensorboard import SummaryWriter\n"
    )
    assert imports(tmp_path) == {"timm", "huggingface-hub", "numpy", "torchvision", "torch", "tensorboard"}


def part_names(card: Card) -> set[tuple[type[Card], str]]:
    """Return what the recipes of a card name: of its weights or files, or the defaults and tasks of a method."""
    parts: dict[str, Part] = {}
    if isinstance(card, WeightsCard):
        recipe = bundled(card).recipe()
        parts = {name: part for name in KINDS if (part := getattr(recipe, name)) is not None}
    if isinstance(card, RestorerCard):
        parts = msgspec.convert(dict(card.defaults), dict[str, Part])
    found = {(KINDS[kind], part.name.partition(":")[0]) for kind, part in parts.items()}
    found |= {(KINDS[kind], name) for kind, names in getattr(card, "parts", {}).items() for name in names}
    if isinstance(card, RestorerCard):
        found |= {(TaskCard, task) for task in card.tasks} | ({(RestorerCard, card.mean)} if card.mean else set())
    return found


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_depends_on_those_whose_parts_its_recipes_name_and_on_no_other(name: str) -> None:
    bringers = {(type(card), card.name): plugin for plugin in registry().plugins for card in plugin.cards}
    (own,) = (plugin for plugin in registry().plugins if plugin.distribution == name)
    assert own.cards
    needed = {bringers[part].distribution for card in own.cards for part in part_names(card)}
    assert {other for other in declared(name) if re.fullmatch(OURS, other)} == needed - {name} | {TOOLBOX}


@pytest.mark.parametrize("name", FOLDERS)
def test_what_belongs_together_is_required_in_the_version_that_it_is_made_with(name: str) -> None:
    version = ".".join(__version__.split(".")[:2])
    table = project(name)
    texts = [*table["dependencies"], *(text for one in table.get("optional-dependencies", {}).values() for text in one)]
    ours = [text for text in texts if re.match(OURS, text)]
    assert ours == [f"{Requirement(text).name}>={version}" for text in ours]


def test_all_distributions_ask_for_the_same_version_of_a_package() -> None:
    asked: dict[str, set[str]] = {}
    for name in FOLDERS:
        for text in project(name)["dependencies"]:
            asked.setdefault(Requirement(text).name, set()).add(str(Requirement(text).specifier))
    assert {name: versions for name, versions in asked.items() if len(versions) > 1} == {}


def test_the_extra_all_is_all_plugins() -> None:
    every = project(TOOLBOX)["optional-dependencies"]["all"]
    assert [Requirement(text).name for text in every] == PLUGINS


def test_the_rules_of_imports_are_for_all_packages() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    plugins = [package(name).name for name in PLUGINS]
    assert rules["root_packages"] == ["restoration", *plugins]
    lists = [one for contract in rules["contracts"] for one in contract.values() if plugins[0] in str(one)]
    assert lists == [plugins] * 3


def test_a_workspace_of_uv_takes_all_of_them_from_this_repository() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
    assert tool["workspace"]["members"] == ["plugins/*"]
    assert tool["sources"] == {name: {"workspace": True} for name in FOLDERS}


def test_an_image_is_built_from_what_the_wheels_are_made_of() -> None:
    target = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"}
    wheel = {*target["wheel"]["packages"], *target["wheel"]["shared-data"], *project(TOOLBOX)["license-files"]}
    assert kept == wheel | {"plugins", "pyproject.toml"}
    assert kept - {"plugins", "pyproject.toml", "README.md", "LICENSE"} == {*target["sdist"]["only-include"]}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_distribution_says_what_it_is(name: str) -> None:
    table, core = project(name), project(TOOLBOX)
    assert table["name"] == name
    for same in ("dynamic", "readme", "requires-python", "license", "license-files", "authors", "classifiers"):
        assert table.get(same) == core[same], same
    assert table["description"]
    assert table["keywords"][0] == "image restoration"
    assert "urls" in table
    assert all(link.startswith("https://") for link in table["urls"].values())
    assert (FOLDERS[name] / "README.md").read_text(encoding="utf-8").startswith("# restoration")
    assert (FOLDERS[name] / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (package(name) / "py.typed").is_file()
