"""What a plugin says about what it brings: plain data, so that looking costs nothing.

A card names the heavy thing as `"package.module:attribute"`. Only `build` imports it.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, ClassVar

from restoration.errors import BadOption, BadPlugin, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Card:
    """A name, what it is in one line, and where it is made.

    `factory` is a class or function that takes keyword-only options of plain JSON types; `source` the paper or page it
    comes from; `license` that of the code or the weights. `variants` names the option, a text, that what follows a
    colon in the name fills: one card `timm` with `variants="encoder"` stands for `timm:resnet18` and all others.
    """

    kind: ClassVar[str] = "card"

    name: str
    summary: str
    factory: str
    license: str = "MIT"
    source: str = ""
    variants: str = ""

    @property
    def title(self) -> str:
        """The name as lists show it, with the place of what follows the colon."""
        return f"{self.name}:NAME" if self.variants and ":" not in self.name else self.name

    def load(self) -> Any:
        """Import and return what `factory` names."""
        module, _, attribute = self.factory.partition(":")
        try:
            found: Any = import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except Exception as error:
            raise BadPlugin(f"{self.kind} {self.name!r} cannot be loaded from {self.factory}: {error}") from error
        return found

    def options(self) -> dict[str, inspect.Parameter]:
        """Return the keyword-only parameters of the factory, by name, but for what the card's name fills."""
        try:
            parameters = inspect.signature(self.load()).parameters
        except (TypeError, ValueError) as error:
            raise BadPlugin(f"{self.kind} {self.name!r}: {self.factory} cannot be called: {error}") from error
        options = {name: p for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
        if self.variants and self.variants not in options:
            raise BadPlugin(f"{self.kind} {self.name!r}: {self.factory} has no option {self.variants!r} for variants")
        return {name: p for name, p in options.items() if name not in self._named()}

    def build(self, options: Mapping[str, Any] | None = None, parts: Mapping[str, Any] | None = None) -> Any:
        """Make the thing. `options` are checked against the factory's names and types; `parts` are passed as they are.

        Raises `BadOption` for a name that the factory does not take or a value that does not fit.
        """
        options, parts = dict(options or {}), dict(parts or {})
        allowed = {name: p for name, p in self.options().items() if name not in parts}
        for name in options:
            if name not in allowed:
                raise BadOption(f"{self.kind} {self.name!r} has no option {name!r}{did_you_mean(name, allowed)}")
        missing = self.variants in allowed and self.variants not in options
        if missing and allowed[self.variants].default is inspect.Parameter.empty:
            raise BadOption(f"{self.kind} {self.name!r} stands for many: say which, as {self.title}")
        given = {**options, **self._named()}
        return self._call({**converted(self.load(), given, f"{self.kind} {self.name!r}"), **parts})

    def _named(self) -> dict[str, str]:
        """The option that the name fills, with what follows the colon in it."""
        _, colon, variant = self.name.partition(":")
        return {self.variants: variant} if self.variants and colon else {}

    def _call(self, keywords: dict[str, Any]) -> Any:
        try:
            return self.load()(**keywords)
        except (TypeError, ValueError) as error:
            raise BadOption(f"{self.kind} {self.name!r}: {error}") from error


def converted(factory: Any, options: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Check values against the annotations of a factory; JSON lists become tuples where the factory says so."""
    import msgspec

    result = {}
    for name, value in options.items():
        hint = _hint(factory, name)
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


def _hint(factory: Any, name: str) -> Any:
    """Return the type of one option. The others are not looked at: those of parts need not exist at run time."""
    function = factory.__init__ if inspect.isclass(factory) else factory
    hint = getattr(function, "__annotations__", {}).get(name, Any)
    if isinstance(hint, str):
        only: Any = types.SimpleNamespace(__annotations__={name: hint})
        try:
            return typing.get_type_hints(only, function.__globals__)[name]
        except NameError as error:
            raise BadPlugin(f"the type of option {name!r}, {hint}, is not there at run time: {error}") from error
    return hint


@dataclass(frozen=True, kw_only=True)
class NetworkCard(Card):
    """A network. `takes` says which of the degraded image `y` and the time `t` it is given beside `x`.

    A network without `y` or `t` in `takes` has an option `in_channels`: what it lacks comes to it as further channels.
    `bytes_per_pixel` is about the memory one evaluation needs; `reach` how many pixels away something can change its
    answer, where the network has no attribute `reach` that says it for its own options; `tiles` is False if that has
    no bound, so that windows would change its answer.
    """

    kind: ClassVar[str] = "network"
    takes: tuple[str, ...] = ()
    bytes_per_pixel: int = 2000
    reach: int = 96
    tiles: bool = True


@dataclass(frozen=True, kw_only=True)
class ScheduleCard(Card):
    """A noise schedule. `uses_y` is False if the degraded image has no part in its states."""

    kind: ClassVar[str] = "schedule"
    uses_y: bool = True


@dataclass(frozen=True, kw_only=True)
class ObjectiveCard(Card):
    """An objective. `path` is False if it needs no schedule: the network goes from `y` to the clean image at once."""

    kind: ClassVar[str] = "objective"
    path: bool = True


@dataclass(frozen=True, kw_only=True)
class SamplerCard(Card):
    """A sampler. `stochastic` says whether it draws noise on its way."""

    kind: ClassVar[str] = "sampler"
    stochastic: bool = False


@dataclass(frozen=True, kw_only=True)
class CommandOption:
    """An option of a task's or method's factory that the command line offers as `--NAME`.

    `values` is "number" (or two, LOW,HIGH, to be drawn from), "whole" for whole numbers, "file" for a path, or a tuple
    of the words that it may be. `describes`, of a task's option, says that it tells something about a user's degraded
    picture, so that `restore run` offers it too; the others only shape what is drawn. It offers those of methods all.
    """

    name: str
    help: str
    values: str | tuple[str, ...] = "number"
    describes: bool = False


@dataclass(frozen=True, kw_only=True)
class TaskCard(Card):
    """A way pictures are damaged. `linear` says whether it knows its operator, `asks` what the command line offers.

    Damage that varies slowly is best judged in a copy of `working_size` squared pixels, see
    `restoration.engine.shrinking`. `lossy` says that the damage is that of a compressed file, as which results are not
    to be written again.
    """

    kind: ClassVar[str] = "task"
    linear: bool = False
    lossy: bool = False
    working_size: int = 0
    asks: tuple[CommandOption, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RestorerCard(Card):
    """A method. Its factory takes any of `network`, `schedule`, `objective` and `sampler` as keywords, and its options.

    Instead of a `network` it may take `make_network`, which makes new ones to be fitted to each picture, see
    `NetworkMaker`; and `task`, the name of the task. `tasks` are those it is made for, () for any; `defaults` the parts
    and options that training starts from, by the names of a recipe:
    `{"network": {"name": "nafnet-compact", "options": {"width": 16}}}`. `asks` is what the command line offers;
    `anytime` says that every guess is an answer, so that a run that is interrupted has one.
    """

    kind: ClassVar[str] = "method"
    tasks: tuple[str, ...] = ()
    needs_weights: bool = True
    anytime: bool = False
    asks: tuple[CommandOption, ...] = ()
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WeightsCard(Card):
    """Weights that came with a plugin. `factory` is the package, then the folder in it: `"my_plugin:weights/derain"`.

    `default` makes it the first choice for its method and task.
    """

    kind: ClassVar[str] = "set of weights"
    method: str
    task: str
    default: bool = True
