"""Cards as plugins bring them, checked field by field: what is not as a card says it is would fail far from here."""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar

from restoration.errors import BadPlugin
from restoration.registry.cards import (
    Card,
    CommandCard,
    CommandOption,
    MetricCard,
    NetworkCard,
    ObjectiveCard,
    RestorerCard,
    TaskCard,
    WeightsCard,
)

C = TypeVar("C", bound=Card)
NAME, COMMAND, OPTION = r"\w[\w./+-]*", r"[a-z][a-z0-9-]*", r"[a-z][a-z0-9_]*"
"""What cards, commands and options may be called: no spaces, and no signs that `@`, `,`, `=` and `:` are elsewhere."""
WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "True or False"}
SYMMETRIES = ("all", "mirror", "none")
VALUES = ("number", "whole", "file", "map")
LEARNS_FROM = ("clean", "pairs", "degraded")


def checked(card: object, kind: type[C], hook: str) -> C:
    """Return a card that a hook brought, with tuples where it had lists. Raises `BadPlugin` that names the field."""
    if not isinstance(card, kind):
        raise BadPlugin(f"{hook} brought {_quoted(card)}, which is not a {kind.__name__}")
    fitted: C = _fitted(card, kind, f"{hook} brought a card {_quoted(card.name)}: its")
    for problem in _problems(fitted):
        raise BadPlugin(f"{hook} brought a card {card.name!r}: {problem}")
    return fitted


def _fitted(value: Any, hint: Any, what: str) -> Any:
    """Return a value as its type says; lists become tuples. Raises `BadPlugin` that begins with `what`."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _fitted(value, next((one for one in inner if _is_like(value, one)), inner[0]), what)
    if not _is_like(value, hint):
        raise BadPlugin(f"{what} must be {_words(hint)}, not {_quoted(value)}")
    if isinstance(hint, type) and is_dataclass(hint):
        return _fitted_fields(value, hint, what)
    if origin is tuple:
        return tuple(_fitted(one, inner[0], f"{what}, each of them,") for one in value)
    if origin is Mapping:
        for key, one in value.items():
            _fitted(key, inner[0], f"{what} keys")
            _fitted(one, inner[1], f"{what} {key!r}")
    return str.__str__(value) if hint is str else value


def _fitted_fields(card: Any, kind: type, what: str) -> Any:
    """Return a card, or another dataclass, with the fields of `kind` as their types say."""
    changes = {}
    for name, hint in _hints(kind).items():
        old = getattr(card, name)
        new = _fitted(old, hint, f"{what} {name}")
        if new != old or type(new) is not type(old):
            changes[name] = new
    return replace(card, **changes) if changes else card


def _is_like(value: Any, hint: Any) -> bool:
    """Say whether a value is of a type, but for what is inside it."""
    origin = typing.get_origin(hint) or hint
    if origin is tuple:
        return isinstance(value, (tuple, list))
    number = (int, float) if origin is float else origin
    return isinstance(value, number) and (origin is bool or not isinstance(value, bool))


def _words(hint: Any) -> str:
    origin, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin is tuple:
        return f"a tuple, each of them {_words(inner[0])}"
    if origin in (typing.Union, types.UnionType):
        return _words(inner[0])
    return WORDS.get(origin) or ("a dict" if origin is Mapping else f"a {origin.__name__}")


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Return the types of the fields of a dataclass."""
    hints = typing.get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind)}


def _quoted(value: object) -> str:
    return repr(str(value)[:60])


def _problems(card: Card) -> Iterator[str]:
    """Say what is wrong with a card whose fields have the right types."""
    texts = {one.name: getattr(card, one.name) for one in fields(card) if isinstance(getattr(card, one.name), str)}
    if ":" in card.name:
        yield "what follows a colon is of its variants"
    if not re.fullmatch(COMMAND if isinstance(card, CommandCard) else NAME, card.name):
        yield "it needs a name of letters, digits, hyphens and the like"
    for name, text in texts.items():
        if not text.isprintable():
            yield f"its {name} must be one line of text, not {text[:60]!r}"
    module, _, attribute = card.factory.partition(":")
    if not module or not attribute:
        yield f"it needs a factory 'package.module:name', not {card.factory!r}"
    if card.variants and (isinstance(card, CommandCard) or not card.variants.isidentifier()):
        yield f"its variants must name an option of its factory, not {card.variants!r}"
    for one in fields(card):
        value = getattr(card, one.name)
        if isinstance(value, int) and value < (one.name in ("smallest", "bytes_per_pixel")):
            yield f"its {one.name} cannot be {value}"
    yield from _problems_of_kind(card, attribute)
    if isinstance(card, RestorerCard | TaskCard):
        for option in card.asks:
            yield from _problems_of_option(option)


def _problems_of_kind(card: Card, attribute: str) -> Iterator[str]:
    """Say what is wrong with the fields that one kind of card has."""
    if isinstance(card, MetricCard) and card.digits > 12:
        yield f"its digits cannot be {card.digits}"
    yield from _problems_of_words(card)
    if isinstance(card, NetworkCard) and card.enlarges and (min(card.enlarges) < 2 or card.takes != ("y",)):
        yield "a network that enlarges does so 2 times or more, and takes y alone, the small picture"
    if isinstance(card, WeightsCard) and (".." in attribute.split("/") or attribute.startswith("/")):
        yield f"its folder must lie in its package, not at {attribute!r}"
    if isinstance(card, WeightsCard) and card.realism is not None and not 0 <= card.realism <= 1:
        yield f"its realism is from 0 to 1, not {card.realism}"
    if isinstance(card, TaskCard):
        if card.symmetries not in SYMMETRIES:
            yield f"its symmetries are {', '.join(SYMMETRIES)}, not {card.symmetries!r}"
        for name, value in vars(card.limits).items():
            if value is not None and not 0 <= value < math.inf:
                yield f"its limits {name} cannot be {value}"


def _problems_of_words(card: Card) -> Iterator[str]:
    """Say which fields hold another word than those that there are."""
    if isinstance(card, NetworkCard) and not {"y", "t"}.issuperset(card.takes):
        yield f"what it takes beside x is y, t or both, not {', '.join(card.takes)}"
    if isinstance(card, ObjectiveCard) and card.learns_from not in LEARNS_FROM:
        yield f"what it learns from is {', '.join(LEARNS_FROM[:-1])} or {LEARNS_FROM[-1]}, not {card.learns_from!r}"


def _problems_of_option(option: CommandOption) -> Iterator[str]:
    """Say what is wrong with an option that a card adds to the command line."""
    if not re.fullmatch(OPTION, option.name):
        yield f"it asks for an option {option.name!r}; use small letters, digits and underscores"
    if isinstance(option.values, str) and option.values not in VALUES:
        known = f"{', '.join(VALUES)} or a tuple of words"
        yield f"the values of its option {option.name!r} are {known}, not {option.values!r}"
    if not option.help.isprintable():
        yield f"the help of its option {option.name!r} must be one line of text"
