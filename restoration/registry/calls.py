"""Calls the hooks of all plugins, for pictures and results: one that fails is a warning, and the others go on."""

from __future__ import annotations

import logging
from typing import Any, TypeVar

from pluggy import HookImpl

from restoration.errors import RestorationError, one_line, plain
from restoration.registry.plugins import registry

T = TypeVar("T")
log = logging.getLogger("restoration")


def tell(name: str, /, **arguments: Any) -> None:
    """Call a hook of every plugin; one that fails is a warning."""
    for impl in _impls(name):
        try:
            impl.function(*(arguments[one] for one in impl.argnames))
        except (Exception, SystemExit) as error:
            _warn(impl, name, one_line(error))


def ask(name: str, kind: type[T], /, **arguments: Any) -> T | None:
    """Return the first answer of a kind that a plugin has to a hook, None if none has; one that fails is a warning.

    A `RestorationError` is an answer too, and raised.
    """
    for impl in _impls(name):
        try:
            answer = impl.function(*(arguments[one] for one in impl.argnames))
        except RestorationError:
            raise
        except (Exception, SystemExit) as error:
            _warn(impl, name, one_line(error))
            continue
        if isinstance(answer, kind):
            return answer
        if answer is not None:
            _warn(impl, name, f"it returned {type(answer).__name__}, not {kind.__name__}")
    return None


def _impls(name: str) -> list[HookImpl]:
    """Return what plugins have for a hook, in the order that pluggy calls them in."""
    return list(reversed(getattr(registry().hooks.hook, name).get_hookimpls()))


def _warn(impl: HookImpl, name: str, why: str) -> None:
    log.warning("the plugin %s failed in %s: %s", plain(impl.plugin_name), name, why)
