"""The options of a network that a recipe states: those that are not its defaults."""

from __future__ import annotations

from typing import Any


def without_defaults(options: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    """Return options without those that have their default value."""
    return {name: value for name, value in options.items() if name not in defaults or defaults[name] != value}
