"""The distributions that belong to the toolbox, and the command that installs what of them is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.message import Message
from email.parser import HeaderParser
from functools import cache
from importlib import metadata

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
        requires = about(metadata.distribution(TOOLBOX)).get_all("Requires-Dist", [])
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


def about(distribution: metadata.Distribution) -> Message:
    """Return the headers of a distribution's metadata; its description, often a whole page, is not looked at."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    return HeaderParser().parsestr(text.replace("\r\n", "\n").partition("\n\n")[0])


@cache
def version(distribution: str) -> str:
    """Return the version of a distribution that is installed, "" if it is not, or does not say it."""
    try:
        return about(metadata.distribution(distribution))["Version"] or ""
    except Exception:
        return ""


def canonical(name: str) -> str:
    """Return the name of a distribution as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
