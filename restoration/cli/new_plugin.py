"""Writes the beginning of a plugin: the one in `plugin_template`, which works, under another name."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from restoration.errors import RestorationError
from restoration.images import make_folder, write_bytes
from restoration.registry import registry
from restoration.registry.cards import RestorerCard

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

TEMPLATE = "example"
"""The name of the plugin in the template; it stands there wherever the new name belongs, and nowhere else."""
TOOLBOX = "toolbox"
"""The name whose distribution would be the toolbox itself."""


def write_plugin(name: str, where: Path) -> list[Path]:
    """Write the directory `restoration-NAME` with a method, its card and its tests; return its files.

    The first is its `pyproject.toml`. Raises `RestorationError` for a name that cannot be one, or if it exists.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise RestorationError(f"{name!r} cannot name a plugin; use lower-case letters, digits and hyphens: my-method")
    plugins, methods = registry().plugins, registry().cards(RestorerCard)
    if name in {TOOLBOX, *(plugin.name for plugin in plugins), *(card.name for card in methods)}:
        raise RestorationError(f"{name!r} is already installed here, and two of a name cannot be; choose another")
    folder = where / f"restoration-{name}"
    if folder.exists():
        raise RestorationError(f"{folder} is already there; choose another name or place")
    written = []
    for path, text in sorted(_template(files("restoration.cli") / "plugin_template", Path())):
        target = folder / renamed(str(path), name)
        make_folder(target.parent)
        write_bytes(renamed(text, name).encode(), target)
        written.append(target)
    return sorted(written, key=lambda path: (path.name != "pyproject.toml", path))


def renamed(text: str, name: str) -> str:
    """Put a new name in the place of the template's: with underscores where that is a part of a Python name."""
    return text.replace(f"_{TEMPLATE}", f"_{name.replace('-', '_')}").replace(TEMPLATE, name)


def _template(folder: Traversable, inside: Path) -> list[tuple[Path, str]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += [] if entry.name.startswith((".", "__")) else _template(entry, inside / entry.name)
        else:
            found.append((inside / entry.name, entry.read_text(encoding="utf-8")))
    return found
