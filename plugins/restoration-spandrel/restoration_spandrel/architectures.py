"""The architectures that there are: those of spandrel, and those of spandrel_extra_arches where that is installed."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from spandrel import MAIN_REGISTRY
from spandrel.util import KeyCondition

if TYPE_CHECKING:
    from spandrel import Architecture, ArchRegistry
    from torch import nn

EXTRA = "spandrel_extra_arches"
"""A package with more architectures. Their licences forbid commercial use, so nothing here depends on it."""


@cache
def architectures() -> ArchRegistry:
    """Return all architectures, in the order in which they are asked whether a file is theirs."""
    found = MAIN_REGISTRY.copy()
    if find_spec(EXTRA) is not None:
        found.add(*import_module(EXTRA).EXTRA_REGISTRY, ignore_duplicates=True)
    return found


def is_extra(architecture: str) -> bool:
    """Return whether an architecture is one of those that may not be used commercially."""
    return architecture not in MAIN_REGISTRY


def telling_names(architecture: Architecture[nn.Module]) -> list[str]:
    """Return names of tensors by which an architecture is recognised; none if that is not by names alone."""
    condition = getattr(architecture, "_detect", None)
    return _flat(condition) if isinstance(condition, KeyCondition) else []


def _flat(condition: KeyCondition) -> list[str]:
    """Return the names of a condition; of alternatives the first."""
    parts = condition._keys if condition._kind == "all" else condition._keys[:1]
    return [name for part in parts for name in (_flat(part) if isinstance(part, KeyCondition) else [part])]
