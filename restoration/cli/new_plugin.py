"""Writes the beginning of a plugin: one of those in `plugin_template`, which work, under another name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from restoration.errors import RestorationError
from restoration.images import make_folder, write_bytes
from restoration.registry import registry
from restoration.registry.cards import (
    Card,
    CommandCard,
    MetricCard,
    NetworkCard,
    ObjectiveCard,
    RestorerCard,
    SamplerCard,
    ScheduleCard,
    TaskCard,
)
from restoration.version import __version__

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

TEMPLATE = "example"
"""The name of the plugin in the templates; it stands there wherever the new name belongs, and nowhere else."""
TOOLBOX = "toolbox"
"""The name whose distribution would be the toolbox itself."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a new plugin may bring: its card, in words, the command that lists it, and what its tests need."""

    card: type[Card]
    words: str
    listed: str
    tests: tuple[str, ...] = ("pytest>=8",)


KINDS = {
    "method": Kind(card=RestorerCard, words="a method", listed="methods", tests=("pytest>=8", "restoration-tasks")),
    "network": Kind(card=NetworkCard, words="a network", listed="networks"),
    "task": Kind(card=TaskCard, words="a task", listed="tasks"),
    "metric": Kind(card=MetricCard, words="a metric", listed="metrics"),
    "command": Kind(card=CommandCard, words="a command", listed="--help"),
    "schedule": Kind(card=ScheduleCard, words="a noise schedule", listed="schedules"),
    "objective": Kind(card=ObjectiveCard, words="a training objective", listed="objectives"),
    "sampler": Kind(card=SamplerCard, words="a sampler", listed="samplers"),
}


def write_plugin(name: str, where: Path, kind: str = "method") -> list[Path]:
    """Write the directory `restoration-NAME` with something of a kind, its card and its tests; return its files.

    The first is its `pyproject.toml`. Raises `RestorationError` for a name that cannot be one, or if it exists.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise RestorationError(f"{name!r} cannot name a plugin; use lower-case letters, digits and hyphens: my-{kind}")
    plugins, cards = registry().plugins, registry().cards(KINDS[kind].card)
    if name in {TOOLBOX, *(plugin.name for plugin in plugins), *(card.name for card in cards)}:
        raise RestorationError(f"{name!r} is already installed here, and two of a name cannot be; choose another")
    folder = where / f"restoration-{name}"
    if folder.exists():
        raise RestorationError(f"{folder} is already there; choose another name or place")
    written = []
    templates = files("restoration.cli") / "plugin_template"
    for path, text in [*_template(templates / "shared", Path()), *_template(templates / kind, Path())]:
        target = folder / renamed(str(path), name)
        make_folder(target.parent)
        text = filled(text, KINDS[kind]) if path.name == "pyproject.toml" else text
        write_bytes(renamed(text, name).encode(), target)
        written.append(target)
    return sorted(written, key=lambda path: (path.name != "pyproject.toml", path))


def renamed(text: str, name: str) -> str:
    """Put a new name in the place of the template's: with underscores where that is a part of a Python name."""
    inside_python = f"_{name.replace('-', '_')}"
    return re.sub(f"_?{TEMPLATE}", lambda found: inside_python if found[0].startswith("_") else name, text)


def filled(text: str, kind: Kind) -> str:
    """Put into the text of a `pyproject.toml` what depends on the kind and on the version of the toolbox."""
    tests = ", ".join(f'"{one}"' for one in kind.tests)
    version = ".".join(__version__.split(".")[:2])
    return text.replace("KIND", kind.words).replace("TESTS", tests).replace("VERSION", version)


def _template(folder: Traversable, inside: Path) -> list[tuple[Path, str]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += [] if entry.name.startswith((".", "__")) else _template(entry, inside / entry.name)
        else:
            found.append((inside / entry.name, entry.read_text(encoding="utf-8")))
    return found
