"""What of the toolbox's own distributions is not installed here, and the command that installs it."""

from __future__ import annotations

from importlib import metadata

TOOLBOX = "restoration-toolbox"
"""The distribution of the core."""

EXTRA = "all"
"""The extra of the toolbox that names the distributions of all plugins that are developed with it."""


def missing() -> list[str]:
    """Return the distributions of the toolbox's own plugins that are not installed."""
    from packaging.requirements import Requirement

    try:
        requirements = [Requirement(text) for text in metadata.requires(TOOLBOX) or ()]
    except metadata.PackageNotFoundError:  # run from a folder of sources
        return []
    names = [one.name for one in requirements if one.marker and one.marker.evaluate({"extra": EXTRA})]
    return [name for name in names if not _is_installed(name)]


def advice(name: str = "") -> str:
    """Return the command that installs the plugin of a name or, where none has it, all; nothing where all are here."""
    lacking = missing()
    if f"restoration-{name}" in lacking:
        return f"pip install restoration-{name}"
    return f"pip install '{TOOLBOX}[{EXTRA}]'" if lacking else ""


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True
