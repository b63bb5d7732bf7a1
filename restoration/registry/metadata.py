"""What installers wrote about distributions, in the folders on the path: for `restore --help` reads it each time.

`importlib.metadata` can do more, and imports zip files, e-mail and csv for it: a sixth of the time that help takes. So
it is asked only where a path is no folder, or something else than Python itself finds distributions.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.machinery import PathFinder
from typing import Any, Protocol

from restoration.errors import BadPlugin

UNREADABLE = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
"""What it means that a distribution has no such file."""
REFERENCE = re.compile(r"([\w.]+)\s*(?::\s*([\w.]+)\s*)?(?:\[.*\]\s*)?")
"""What an entry point names: a module, an attribute of it, and extras, which nobody uses any more."""


class Distribution(Protocol):
    """Something that was installed, as `importlib.metadata` has it too."""

    def read_text(self, filename: str) -> str | None:
        """Return the text of a file of its metadata, None if there is none."""

    def locate_file(self, path: str) -> Any:
        """Return the path of a file, given one from where it was installed."""


@dataclass(frozen=True)
class Folder:
    """A distribution whose metadata lie in a folder."""

    path: str

    def read_text(self, filename: str) -> str | None:
        """Return the text of a file of its metadata, None if there is none."""
        with suppress(*UNREADABLE), open(os.path.join(self.path, filename), encoding="utf-8") as file:
            return file.read()
        return None

    def locate_file(self, path: str) -> str:
        """Return the path of a file, given one from where it was installed."""
        return os.path.join(os.path.dirname(self.path), path)


def distributions(name: str | None = None) -> Iterator[Distribution]:
    """Yield what is installed, or what is under one name, in the order of the path."""
    if _others():
        from importlib import metadata

        yield from metadata.distributions() if name is None else metadata.distributions(name=name)
        return
    wanted = None if name is None else canonical(name)
    for place in sys.path:
        for folder, named in _folders(place or os.curdir, _changed(place or os.curdir)):
            if wanted in (None, named):
                yield Folder(folder)


def headers(distribution: Distribution) -> dict[str, list[str]]:
    """Return the headers of its metadata, in order; its description, often a whole page, is not looked at."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    found: dict[str, list[str]] = {}
    for line in re.sub(r"\n[ \t]+", " ", text.partition("\n\n")[0]).splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.title(), []).append(value.strip())
    return found


def entry_points(text: str, group: str) -> Iterator[tuple[str, str]]:
    """Yield names and values of a group, of the text of `entry_points.txt`."""
    section = None
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("[") and line.endswith("]"):
            section = line.strip("[] ")
        elif section == group and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


def load(reference: str) -> Any:
    """Import and return what an entry point names. Raises `BadPlugin` if its value is no name."""
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise BadPlugin(f"its entry point is {reference!r}, not a module")
    found: Any = import_module(match[1])
    for name in filter(None, (match[2] or "").split(".")):
        found = getattr(found, name)
    return found


def canonical(name: str) -> str:
    """Return the name of a distribution as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _others() -> bool:
    """Say whether there may be distributions that do not lie in folders on the path."""
    finders = (finder for finder in sys.meta_path if finder is not PathFinder)
    return any(hasattr(finder, "find_distributions") for finder in finders) or any(map(_is_archive, sys.path))


def _is_archive(place: str) -> bool:
    return place.lower().endswith(".egg") or (not place.endswith(os.sep) and os.path.isfile(place))


def _changed(place: str) -> int:
    """Return when a folder was changed last, -1 where there is none."""
    try:
        return os.stat(place).st_mtime_ns
    except (OSError, ValueError):
        return -1


@cache
def _folders(place: str, changed: int) -> list[tuple[str, str]]:
    """Return the folders of metadata in a folder, with the names of the distributions, which theirs begin with."""
    names: list[str] = []
    with suppress(OSError, ValueError):
        names = os.listdir(place)
    return [
        (os.path.join(place, name), canonical(name.rpartition(".")[0].partition("-")[0]))
        for name in names
        if name.lower().endswith((".dist-info", ".egg-info"))
    ]
