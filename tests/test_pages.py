"""What the pages name is there: modules and their attributes, files, links, and what the scripts import."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("benchmarks/*.md"),
    *ROOT.glob("examples/**/*.md"),
    *ROOT.glob("plugins/*/README.md"),
    *ROOT.glob("plugins/*/restoration_*/weights/*/README.md"),
]
CODE = [*ROOT.glob("restoration/**/*.py"), *ROOT.glob("plugins/*/restoration_*/**/*.py")]
SCRIPTS = [*ROOT.glob("benchmarks/*.py"), *ROOT.glob("examples/**/*.py")]
IMAGINED = ("restoration_median", "restoration_example", "restoration.lock")
"""Packages that a page or the template makes up, and a file that only looks like a module."""

NAME = re.compile(r"(?<![\w/.-])restoration(?:_[a-z0-9]+)*(?:[.:][A-Za-z_]\w*)+(?![\w/-])")
LINK = re.compile(r"\]\(([^)#:\s]+)[^):]*\)")
FILE = re.compile(r"(?<![\w/.-])(?:restoration|plugins|tests|docs|examples|benchmarks)/[\w./-]*\w")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    """Return a page; of the changes only the latest, as what is older tells of what was there then."""
    text = path.read_text(encoding="utf-8")
    return "## ".join(text.split("\n## ")[:2]) if path.name == "CHANGELOG.md" else text


def strings(path: Path) -> str:
    """Return all docstrings and other strings of a module, a line each."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def is_there(name: str) -> bool:
    """Say whether a dotted name is a module, or an attribute of one."""
    parts = name.replace(":", ".").split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_name_and_file_and_link_of_a_page_is_there(path: Path) -> None:
    text = text_of(path)
    assert [name for name in NAME.findall(text) if not name.startswith(IMAGINED) and not is_there(name)] == []
    assert [file for file in FILE.findall(text) if not (ROOT / file).exists()] == []
    assert [link for link in LINK.findall(text) if not (path.parent / link).exists()] == []


def test_every_name_that_a_docstring_holds_is_there() -> None:
    found = {(name_of(path), name) for path in CODE for name in NAME.findall(strings(path))}
    names = {name for _, name in found if not name.startswith(IMAGINED) and ":" not in name}  # `--check` tests cards
    lacking = {name for name in names if not is_there(name)}
    assert {(path, name) for path, name in found if name in lacking} == set()


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_what_a_script_imports_from_the_toolbox_is_there(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    pairs = ((node.module, node.names) for node in nodes if isinstance(node, ast.ImportFrom))
    names += chain.from_iterable((f"{module}.{alias.name}" for alias in aliases) for module, aliases in pairs)
    assert [name for name in names if name.startswith("restoration") and not is_there(name)] == []


def test_the_map_has_every_module_and_package() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    lines = page.partition("## The map")[2].split("```")[1].strip().splitlines()
    assert len(lines) == 11
    shown = {name.rstrip("/*") for line in lines for name in re.split(r" {2,}", line.strip())[0].split()}
    core = [
        path for path in (ROOT / "restoration").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    beside = {"plugins", "tests", "benchmarks", "examples", "docs"}
    assert shown == {path.stem for path in core if not path.stem.startswith("__")} | beside


def test_every_benchmark_stands_on_their_page() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    scripts = [path.name for path in (ROOT / "benchmarks").iterdir() if path.suffix in (".py", ".sh")]
    assert sorted(name for name in scripts if f"]({name})" not in page) == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_target_of_make_that_a_page_names_is_there(page: str) -> None:
    text, rules = (ROOT / page).read_text(encoding="utf-8"), (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^`?make ([a-z]+)|`make ([a-z]+)", text, re.MULTILINE)
    assert targets
    assert [name for pair in targets for name in pair if name and f"\n{name}:" not in rules] == []


def test_a_name_that_is_not_there_is_seen() -> None:
    assert NAME.findall("`restoration.cards`, restoration_ir_sde.latent:LatentPair and restoration.restore(x)") == [
        "restoration.cards",
        "restoration_ir_sde.latent:LatentPair",
        "restoration.restore",
    ]
    assert [is_there(name) for name in ("restoration.cards", "restoration.sampling.ddim", "restoration.nobody")] == [
        False,
        True,
        False,
    ]
