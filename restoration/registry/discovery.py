"""Plugins as they are found: their entry points, in the order in which names are given away, and what they need."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from restoration.errors import one_line
from restoration.registry.cards import Card
from restoration.registry.distributions import belonging, version
from restoration.registry.metadata import Distribution, canonical, distributions, entry_points, headers

GROUP = "restoration"
"""The group of entry points that plugins declare."""
UNKNOWN = float("inf")
NUMBERS = r"\d+(?:\.\d+)*"
"""A version of numbers alone."""


@dataclass(kw_only=True)
class Plugin:
    """A plugin that was found: loaded, or broken and why. `remarks` say what it does that does not hinder it.

    `requires` are the requirements of its distribution. Of two plugins that bring the same name the one of the lower
    `order` has it: what belongs to the toolbox comes first, then what was installed first.
    """

    name: str
    distribution: str = ""
    version: str = ""
    module: str = ""
    error: str = ""
    remarks: list[str] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)
    order: tuple[bool, float, str] = (False, 0.0, "")

    @property
    def package(self) -> str:
        """The name that Python knows its code by, without what follows the first dot."""
        return re.split("[.:]", os.path.basename(self.module))[0]


def installed() -> list[Plugin]:
    """Return the plugins that are installed, not loaded yet, in their order."""
    found: dict[str, list[Plugin]] = {}
    for distribution in distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
        except Exception:
            continue  # no text, so nobody knows for whom it would have been
        if re.search(rf"^\s*\[\s*{GROUP}\s*\]", text, re.MULTILINE):
            mine = _plugins(distribution, text)
            found.setdefault(canonical(mine[0].distribution), mine)  # as of modules, the first on the path counts
    return sorted((plugin for mine in found.values() for plugin in mine), key=lambda plugin: plugin.order)


def _plugins(distribution: Distribution, text: str) -> list[Plugin]:
    """Return the plugins of a distribution, at least one: where it cannot be read that one says why."""
    name = number = ""
    try:
        found = headers(distribution)
        name, number = (found.get(one, [""])[0] for one in ("Name", "Version"))
        requires = found.get("Requires-Dist", [])
        points = list(entry_points(text, GROUP))
        why = f"it has no entry point in the group {GROUP!r}"
    except Exception as error:
        requires, points, why = [], [], f"its metadata cannot be read: {one_line(error)}"
    own = canonical(name) in belonging()
    order = (not own, 0.0 if own else _since(distribution, name, number))
    return [
        Plugin(
            name=point,
            distribution=name,
            version=number,
            module=module,
            requires=requires,
            order=(*order, point),
        )
        for point, module in points
    ] or [Plugin(name=name or "?", distribution=name, version=number, error=why, order=(*order, name))]


def unmet_requirement(requires: list[str]) -> str:
    """Return, of the requirements of an installed plugin, the first that this environment does not meet."""
    for text in requires:
        if re.fullmatch(r"[^;]+;\s*extra\s*==\s*(['\"])[\w.-]+\1\s*", text):
            continue
        plain = re.fullmatch(rf"([\w.-]+)\s*(>=\s*({NUMBERS}))?", text)
        found = version(plain[1]) if plain else ""
        if plain and re.fullmatch(NUMBERS, found):  # as most are: `packaging` need not be imported
            if _numbers(found) < _numbers(plain[3] or "0"):
                return f"needs {text}, but {found} is installed"
        elif why := _unmet(text):
            return why
    return ""


def _unmet(text: str) -> str:
    """Return why a requirement of any form is not met, "" if it is."""
    from packaging.requirements import Requirement

    requirement = Requirement(text)
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return ""
    found = version(requirement.name)
    if not found:
        return f"needs {requirement.name}{requirement.specifier}, which is not installed"
    if not requirement.specifier.contains(found, prereleases=True):
        return f"needs {requirement.name}{requirement.specifier}, but {found} is installed"
    return ""


def _numbers(text: str) -> list[int]:
    """Return the numbers of a version, without noughts at its end: 2.0 is 2."""
    numbers = [int(part) for part in text.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def _since(distribution: Distribution, name: str, number: str) -> float:
    """Return when a distribution was installed, as the folder of its metadata says, or infinity."""
    folder = f"{canonical(name).replace('-', '_')}-{number}.dist-info"
    try:
        return os.stat(str(distribution.locate_file(folder))).st_mtime
    except (OSError, ValueError, NotImplementedError):  # the last for distributions that are not files
        return UNKNOWN
