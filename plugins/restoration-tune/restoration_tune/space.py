"""What is searched: the values that parts of a recipe, their options and the settings of a training may have."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from restoration.documents import read_document
from restoration.errors import BadOption, RestorationError

if TYPE_CHECKING:
    from restoration import Recipe, Training

Value = bool | int | float | str
PARTS = ("network", "schedule", "objective", "sampler")
"""The parts of a recipe that can be exchanged by name."""
OPTIONS = (*PARTS, "method", "task")
"""What options can belong to, as in `network.width`; settings of the training are `training.lr` and so on."""


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]

    def probes(self) -> tuple[Any, ...]:
        """Return the values that are tried out before a search begins: all."""
        return self.values


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, both included; `whole` for integers, `log` for even chances of all magnitudes."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def probes(self) -> tuple[Any, ...]:
        """Return the values that are tried out before a search begins: the ends."""
        return self.low, self.high


Space = dict[str, Choice | Range]


def read_space(file: Path) -> Space:
    """Read a space from a TOML file: names with a list of values, or a range `{ low = 1e-4, high = 1e-1, log = true }`.

    Raises `BadOption`.
    """
    try:
        table = tomllib.loads(read_document(file).decode())
    except OSError as error:
        raise BadOption(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadOption(f"{file} is not a TOML file: {error}") from error
    space = {name: _dimension(name, value) for name, value in _flat(table)}
    if not space:
        raise BadOption(f'{file} names nothing to search, such as: "training.lr" = {{ low = 1e-4, high = 1e-2 }}')
    return space


def _flat(table: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Return names and values of a table; `network.width = [8]` is a table in a table for TOML."""
    found: list[tuple[str, Any]] = []
    for name, value in table.items():
        full = f"{before}{name}"
        if isinstance(value, dict) and not {"low", "high"} & value.keys():
            found += _flat(value, f"{full}.")
        else:
            found.append((full, value))
    return found


def _dimension(name: str, value: Any) -> Choice | Range:
    part, _, key = name.partition(".")
    known = part in PARTS if not key else part in OPTIONS or part == "training"
    if not known:
        raise BadOption(
            f"{name}: nothing is called that; there are {', '.join(PARTS)}, options as in network.width, method.steps "
            "or task.sigma, and settings as in training.lr"
        )
    if isinstance(value, list):
        if len(value) < 2 or any(value.count(one) > 1 for one in value):
            raise BadOption(f"{name}: a list needs two values or more, all different")
        return Choice(tuple(value))
    if not isinstance(value, dict):
        raise BadOption(f"{name}: give a list of values, or a range {{ low = 1, high = 10 }}")
    low, high, log = value.get("low"), value.get("high"), value.get("log", False)
    if not _is_number(low) or not _is_number(high) or value.keys() - {"low", "high", "log"} or log not in (True, False):
        raise BadOption(f"{name}: a range has the numbers low and high, and perhaps log = true")
    if not low < high or (log and low <= 0):
        raise BadOption(f"{name}: low must be less than high{', and above 0' if log else ''}")
    return Range(low, high, log=log, whole=isinstance(low, int) and isinstance(high, int))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def applied(recipe: Recipe, settings: Training, chosen: Mapping[str, Any]) -> tuple[Recipe, Training]:
    """Return a recipe and settings with chosen values put in. Raises `BadOption` for what does not fit."""
    import msgspec

    from restoration.recipe import with_options

    strange = [name for name in chosen if "." not in name and name not in PARTS]
    if strange:
        raise BadOption(f"{strange[0]}: say which part, as in training.{strange[0]} or network.{strange[0]}")
    parts = {name: value for name, value in chosen.items() if name in PARTS}
    options = {name: value for name, value in chosen.items() if "." in name and not name.startswith("training.")}
    numbers = {name.partition(".")[2]: value for name, value in chosen.items() if name.startswith("training.")}
    recipe = with_options(recipe, options, parts=parts)
    unknown = [name for name in numbers if name not in settings.__struct_fields__]
    if unknown:
        raise BadOption(f"training.{unknown[0]}: there is no such setting; see `restore train --help`")
    try:
        return recipe, msgspec.convert({**msgspec.to_builtins(settings), **numbers}, type(settings))
    except msgspec.ValidationError as error:
        raise BadOption(f"{', '.join(f'training.{name}' for name in numbers)}: {error}") from error


def check(space: Space, recipe: Recipe, settings: Training) -> None:
    """Build the parts with every value that is listed, and the ends of ranges, one dimension after the other.

    Raises `BadOption` with what does not fit, before anything is trained.
    """
    from restoration.recipe import build_parts

    first = {name: dimension.probes()[0] for name, dimension in space.items()}
    for name, dimension in space.items():
        for value in dimension.probes():
            try:
                changed, _ = applied(recipe, settings, {**first, name: value})
                build_parts(changed)
            except RestorationError as error:
                raise BadOption(f"{name} = {value}: {error}") from error


def label(chosen: Mapping[str, Any]) -> str:
    """Return chosen values in one line, without the names of parts where no other value has the same name."""
    return ", ".join(
        f"{short}={shown(value)}" for short, value in zip(short_names([*chosen]), chosen.values(), strict=True)
    )


def short_names(names: Sequence[str]) -> list[str]:
    """Return names without what stands before the dot, where that leaves them different."""
    short = [name.rpartition(".")[2] for name in names]
    return [full if short.count(name) > 1 else name for full, name in zip(names, short, strict=True)]


def shown(value: Any) -> str:
    """Return a value as a table shows it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
