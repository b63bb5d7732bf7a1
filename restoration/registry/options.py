"""Values of options, as JSON and the command line have them, checked against what a factory is annotated with."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any

from restoration.errors import BadOption, BadPlugin

PLAIN = (bool, int, float, str)
"""The types of single values in JSON."""


def converted(factory: Any, options: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Check values against the annotations of a factory; JSON lists become tuples where the factory says so.

    Where an annotation names `Any` beside other types, what JSON does not have passes as it is: an array, for example.
    """
    import msgspec

    result = {}
    for name, value in options.items():
        hint = _hint(factory, name, owner)
        others = [one for one in typing.get_args(hint) if one is not Any]
        if Any in typing.get_args(hint):
            if value is not None and not isinstance(value, (*PLAIN, list, tuple, dict)):
                result[name] = value
                continue
            hint = typing.Union[tuple(others)]  # noqa: UP007  # they are only known here
        try:
            result[name] = msgspec.convert(value, hint)
        except msgspec.ValidationError as error:
            choices = _choices(hint)
            why = f"{value!r} is not one of {', '.join(choices)}" if choices else str(error)
            raise BadOption(f"{owner}: option {name!r} does not fit: {why}") from error
    return result


def _choices(hint: Any) -> list[str]:
    """Return the values of a type that has nothing but those, and of one that may be None too."""
    if typing.get_origin(hint) is typing.Literal:
        return [str(value) for value in typing.get_args(hint)]
    inner = [one for one in typing.get_args(hint) if one is not types.NoneType]
    return _choices(inner[0]) if len(inner) == 1 and typing.get_origin(hint) in (typing.Union, types.UnionType) else []


def _hint(factory: Any, name: str, owner: str) -> Any:
    """Return the type of one option. The others are not looked at: those of parts need not exist at run time."""
    function = factory.__init__ if inspect.isclass(factory) else factory
    hint = getattr(function, "__annotations__", {}).get(name, Any)
    if isinstance(hint, str):
        only: Any = types.SimpleNamespace(__annotations__={name: hint})
        try:
            return typing.get_type_hints(only, function.__globals__)[name]
        except NameError as error:
            raise BadPlugin(
                f"{owner}: the type of its option {name!r}, {hint}, is not there at run time: {error}"
            ) from error
    return hint
