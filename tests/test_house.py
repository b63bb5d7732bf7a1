"""The conventions of the project, as tests."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from restoration.cli.main import COMMANDS, cli
from restoration.registry import hookspecs, registry
from restoration.registry.cards import CommandCard

ROOT = Path(__file__).parents[1]
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "restoration_spec")]
HEAVY = ("torch", "numpy", "rich", "timm", "einops", "pyvips", "msgspec", "safetensors", "huggingface_hub")
SLOW = ("importlib.metadata", "tempfile", "tomllib", "pathlib", "restoration.cli.faults")
"""Modules that only cost time where help is all that is wanted: together a third of it."""


FOLLOW = f"""
import contextlib, io, json, os, sys
from restoration.cli.main import cli

for line in sys.argv[1:]:
    if os.fork():
        os.wait()
        continue
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        cli.main(line.split(), standalone_mode=False)
    print(json.dumps([line, [name for name in {HEAVY + SLOW!r} if name in sys.modules]]), flush=True)
    os._exit(0)
"""
"""Follows command lines, each in a process of its own; prints what of the modules above it has imported."""
LISTS = ("methods", "tasks", "networks", "schedules", "objectives", "samplers", "metrics")


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """The heavy modules that commands import."""
    lines = ("--help", *LISTS, *(f"{command} --help" for command in COMMANDS))
    done = subprocess.run([sys.executable, "-c", FOLLOW, *lines], capture_output=True, text=True, check=True)
    return {line: set(names) for line, names in map(json.loads, done.stdout.splitlines())}


def test_help_imports_nothing_heavy_and_plugins_only_when_it_is_asked_for(imported):
    assert imported["--help"] == set()
    code = "import sys; import restoration.cli.main; print([n for n in sys.modules if n.startswith('restoration_')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("command", LISTS)
def test_lists_read_cards_alone(command, imported):
    assert imported[command] & {"torch", "numpy", "timm", "einops", "pyvips"} == set()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_help_of_every_command_needs_no_torch(command, imported):
    assert imported[f"{command} --help"] & {"torch", "numpy", "timm", "pyvips"} == set()


def options_without_help(command: click.Command) -> list[str]:
    return [p.name or "" for p in command.params if isinstance(p, click.Option) and not p.help]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_says_what_it_is_for(name):
    command = COMMANDS[name].load()
    assert options_without_help(command) == []
    assert command.help
    for one in getattr(command, "commands", {}).values():
        assert options_without_help(one) == []
    assert options_without_help(cli) == []


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_and_tested(hook):
    assert inspect.getdoc(getattr(hookspecs, hook))
    page = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    assert f"`{hook}(" in page, f"{hook} is not in docs/plugins.md"
    tests = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py") if path != Path(__file__)]
    assert any(hook in text for text in tests), f"no test uses {hook}"


def test_public_names_can_be_imported_and_have_a_docstring():
    import restoration

    for name in restoration.__all__:
        thing = getattr(restoration, name)
        assert name == "__version__" or name == "hookimpl" or inspect.getdoc(thing), name
    with pytest.raises(AttributeError, match="no attribute 'restor'"):
        restoration.restor  # noqa: B018


def sources() -> list[Path]:
    return [*ROOT.glob("restoration/**/*.py"), *ROOT.glob("plugins/*/restoration_*/**/*.py")]


def test_a_source_file_opens_with_what_it_is_for_and_stays_short():
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sources()}
    assert {name: lines for name, text in texts.items() if (lines := text.count("\n")) > 300} == {}
    opened = [name for name, text in texts.items() if text.startswith(('"""', 'r"""')) or "plugin_template" in name]
    assert texts.keys() - opened == set()
    assert [name for name in texts if Path(name).stem in ("utils", "helpers", "base", "common")] == []
    assert [name for name, text in texts.items() if re.search(r"class (Abstract\w*|\w*Manager)\b", text)] == []


def test_one_version_for_all_and_it_is_in_the_changelog():
    from importlib import metadata

    from restoration import __version__

    for name in ("restoration-toolbox", *(path.name for path in (ROOT / "plugins").iterdir())):
        assert metadata.version(name) == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_command_of_the_readme_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    used = set(re.findall(r"^(?:\.venv/bin/)?restore ([a-z]+)", text, re.MULTILINE))
    assert {"run", "train", "score", "plugins"} <= used <= {card.name for card in registry().cards(CommandCard)}
