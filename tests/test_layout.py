"""The import graph of the core: every import, lazy and type-only ones included, points one way."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = sorted([ROOT / "restoration", *ROOT.glob("plugins/*/restoration_*")])
FRONT = "restoration"
"""`restoration/__init__.py` knows all public names by their modules; no module of the core imports from it."""


def modules(package: Path) -> dict[str, Path]:
    """Return the files of a package by the names of their modules; a package is known by its folder."""
    found = {}
    for path in package.rglob("*.py"):
        if "plugin_template" not in path.parts:
            parts = path.relative_to(package.parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """Return the modules among `known` that a file imports anywhere in it, whenever that happens."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else str(node.module) for name in names}
    return found & known.keys()


def graph(package: Path) -> dict[str, set[str]]:
    known = modules(package)
    return {name: imported(path, known) for name, path in known.items() if name != FRONT}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_no_modules_import_one_another_in_a_circle(package):
    try:
        order = list(TopologicalSorter(graph(package)).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
    assert len(order) >= len(modules(package)) - 1


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_folder_of_modules_is_a_package_or_import_rules_would_not_see_it(package):
    folders = {path.parent for path in modules(package).values()}
    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()


def test_a_circle_of_type_only_and_lazy_imports_is_seen(tmp_path):
    package = tmp_path / "round"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import round.two\n")
    (package / "two.py").write_text("def late():\n    from round import one\n")
    with pytest.raises(CycleError):
        list(TopologicalSorter(graph(package)).static_order())


def test_nobody_of_the_core_goes_through_the_front_door():
    guilty = [name for name, others in graph(ROOT / "restoration").items() if FRONT in others]
    assert guilty == []
