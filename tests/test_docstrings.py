"""What docstrings promise: a function of many parameters lists them, a constant is explained by a sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = [*ROOT.glob("restoration/**/*.py"), *ROOT.glob("plugins/*/restoration_*/**/*.py")]
FILES = sorted(path for path in SOURCES if "plugin_template" not in path.parts)
MANY = 5
"""A docstring explains up to this many parameters in its text; more are a list."""
IMPLICIT = ("self", "cls", "ctx")


def functions(body: list[ast.stmt], owner: str = "", doc: str = "") -> Iterator[tuple[str, ast.FunctionDef, str]]:
    """Yield the public functions of a module or class with their docstrings; those of a class go for its `__init__`."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from functions(node.body, f"{owner}{node.name}.", ast.get_docstring(node) or "")
        elif isinstance(node, ast.FunctionDef) and (node.name.startswith("__") or not node.name.startswith("_")):
            own = ast.get_docstring(node) or ""
            yield f"{owner}{node.name}", node, f"{doc}\n{own}" if node.name == "__init__" else own


def is_command(node: ast.FunctionDef) -> bool:
    """Return whether a function is one of the command line, whose parameters are explained by `--help`."""
    return any(isinstance(one, ast.Call) and "command" in ast.unparse(one.func) for one in node.decorator_list)


def parameters(node: ast.FunctionDef) -> list[str]:
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [one.arg for one in every if one.arg not in IMPLICIT]


def listed(doc: str) -> set[str]:
    """Return the names in the lists of a docstring: those in backticks between a `*` and the colon after it."""
    items = re.findall(r"^\s*\* (`[^:]*?):", doc, re.MULTILINE)
    return {name for item in items for name in re.findall(r"`(\w+)`", item)}


def test_more_than_five_parameters_are_a_list_in_the_docstring() -> None:
    lacking = {
        f"{path.relative_to(ROOT)}: {name}": missing
        for path in FILES
        for name, node, doc in functions(ast.parse(path.read_text(encoding="utf-8")).body)
        if len(parameters(node)) > MANY and not is_command(node)
        if (missing := [one for one in parameters(node) if one not in listed(doc)])
    }
    assert lacking == {}, "write `* `name`: what it is.` for each of them"


def test_lists_of_parameters_are_read_as_they_are_written() -> None:
    assert listed("Do.\n\n    * `one`, `two`: the first.\n    * `three`: like `four`.\n") == {"one", "two", "three"}
