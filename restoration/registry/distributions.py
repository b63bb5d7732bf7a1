"""The distributions that belong to the toolbox, and the command that installs what of them is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from restoration.registry.metadata import canonical, distributions, headers

TOOLBOX = "restoration-toolbox"
"""The distribution of the core."""

EXTRA = "all"
"""The extra of the toolbox that names the distributions of all plugins that are developed with it."""

PREFIX = "restoration-"
"""What the name of such a distribution begins with, before the name of its plugin."""


@cache
def belonging() -> frozenset[str]:
    """Return the distributions of the toolbox's own plugins, as its extra names them."""
    try:
        requires = headers(next(distributions(TOOLBOX))).get("Requires-Dist", [])
    except Exception:  # run from a folder of sources, or the metadata are damaged
        return frozenset()
    wanted = re.compile(rf"extra\s*==\s*['\"]{EXTRA}['\"]")
    names = (re.match(r"[\w.-]+", text) for text in requires if wanted.search(text))
    return frozenset(canonical(name[0]) for name in names if name)


def advice(name: str, lacking: Iterable[str]) -> str:
    """Return the command that installs the plugin of a name if that is lacking, else all; nothing if nothing lacks."""
    lacking = set(lacking)
    if f"{PREFIX}{name}" in lacking:
        return f"pip install {PREFIX}{name}"
    return f"pip install '{TOOLBOX}[{EXTRA}]'" if lacking else ""


@cache
def version(distribution: str) -> str:
    """Return the version of a distribution that is installed, "" if it is not, or does not say it."""
    try:
        return headers(next(distributions(distribution)))["Version"][0]
    except Exception:
        return ""
