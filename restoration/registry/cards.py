"""What a plugin says about what it brings: plain data, so that looking costs nothing.

A card names the heavy thing as `"package.module:attribute"`. Only `build` imports it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any, ClassVar

from restoration.errors import BadOption, BadPlugin, did_you_mean, one_line
from restoration.interfaces import Limits
from restoration.registry.guard import guarded
from restoration.registry.options import converted


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
    def label(self) -> str:
        """The name as lists show it, with the place of what follows the colon."""
        return f"{self.name}:NAME" if self.variants and ":" not in self.name else self.name

    def load(self) -> Any:
        """Import and return what `factory` names."""
        module, _, attribute = self.factory.partition(":")
        try:
            with nullcontext() if module in sys.modules else guarded():
                found: Any = import_module(module)
                for part in attribute.split("."):
                    found = getattr(found, part)
        except Exception as error:
            why = str(error) if isinstance(error, BadPlugin) else one_line(error)
            raise BadPlugin(f"{self.kind} {self.name!r} cannot be loaded from {self.factory}: {why}") from error
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
            raise BadOption(f"{self.kind} {self.name!r} stands for many: say which, as {self.label}")
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
        except SystemExit as error:
            raise BadPlugin(f"{self.kind} {self.name!r} ends the program when it is made") from error


@dataclass(frozen=True, kw_only=True)
class NetworkCard(Card):
    """A network. `takes` says which of the degraded image `y` and the time `t` it is given beside `x`.

    A network without `y` or `t` in `takes` has an option `in_channels`: what it lacks comes to it as further channels.
    `bytes_per_pixel` is about the memory one evaluation needs; `reach` how many pixels away something can change its
    answer, where the network has no attribute `reach` that says it for its own options; `tiles` is False if that has
    no bound, so that windows would change its answer. `enlarges` are the scales of a network that works on small
    pictures, see `EnlargingNetwork`; () for all others.
    """

    kind: ClassVar[str] = "network"
    takes: tuple[str, ...] = ()
    bytes_per_pixel: int = 2000
    reach: int = 96
    tiles: bool = True
    enlarges: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ScheduleCard(Card):
    """A noise schedule. `uses_y` is False if the degraded image has no part in its states."""

    kind: ClassVar[str] = "schedule"
    uses_y: bool = True


@dataclass(frozen=True, kw_only=True)
class ObjectiveCard(Card):
    """An objective. `path` is False if it needs no schedule: the network goes from `y` to the clean image at once.

    `learns_from` says what its loss is given as `x`: "clean" pictures; of "pairs" another degraded picture of the same
    scene, damaged independently; or, if it learns from "degraded" pictures alone, `y` again.
    """

    kind: ClassVar[str] = "objective"
    path: bool = True
    learns_from: str = "clean"


@dataclass(frozen=True, kw_only=True)
class SamplerCard(Card):
    """A sampler. `stochastic` says whether it draws noise on its way."""

    kind: ClassVar[str] = "sampler"
    stochastic: bool = False


@dataclass(frozen=True, kw_only=True)
class CommandOption:
    """An option of a task's or method's factory that the command line offers as `--NAME`.

    `values` is "number" (or two, LOW,HIGH, to be drawn from), "whole" for whole numbers, "file" for a path, "map" for a
    number or the path of a map of numbers, or a tuple of the words that it may be. `describes`, of a task's option,
    says that it tells something about a user's degraded picture, so that `restore run` offers it too; the others only
    shape what is drawn. It offers those of methods all. `tells` names the field of `Observation` that such an option
    fills, "sigma" or "operator", if that does not show in the degraded picture itself: only methods that use the field
    take it then, see `RestorerCard`.
    """

    name: str
    help: str
    values: str | tuple[str, ...] = "number"
    describes: bool = False
    tells: str = ""


@dataclass(frozen=True, kw_only=True)
class TaskCard(Card):
    """A way pictures are damaged. `linear` says whether it knows its operator, `asks` what the command line offers.

    Damage that varies slowly is best judged in a copy of `working_size` squared pixels, see
    `restoration.engine.shrinking`. `lossy` says that the damage is that of a compressed file, as which results are not
    to be written again; `colours` that a grey picture lacks its colours: else what is grey stays grey. `limits` is how
    much of a picture it may change. `symmetries` are the positions that a damaged picture may be brought into and still
    be one: "all" eight of a square, as noise; "mirror" for its mirror image, as rain, which falls; or "none".
    """

    kind: ClassVar[str] = "task"
    linear: bool = False
    lossy: bool = False
    colours: bool = False
    working_size: int = 0
    limits: Limits = field(default_factory=Limits)
    symmetries: str = "none"
    asks: tuple[CommandOption, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RestorerCard(Card):
    """A method. Its factory takes any of `network`, `schedule`, `objective` and `sampler` as keywords, and its options.

    Instead of a `network` it may take `make_network`, which makes new ones to be fitted to each picture, see
    `NetworkMaker`; and `task`, the name of the task. `tasks` are those it is made for, () for any; with "operator" in
    `uses` it serves all others that are linear too. `defaults` are the parts and options that training starts from, by
    the names of a recipe:
    `{"network": {"name": "nafnet-compact", "options": {"width": 16}}}`. `asks` is what the command line offers;
    `anytime` says that every guess is an answer, so that a run that is interrupted has one. `uses` are the fields of
    `Observation` that it looks at beside `y`: what tells others, such as `--sigma`, is refused before any work. If it
    is None, that is refused when the method is done and did not look. `ensembles` is False for a method for which
    `--ensemble` makes no sense, as for one that is fitted to each picture. `training` are the settings of
    `restore train` that are others than usual for it, by name; `whole` says that it learns whole pictures, not their
    details: patches have the size of the pictures then, and the network their channels, unless a user says otherwise.
    `draws` says whether its results depend on the seed, so that it has `--samples`; if None, those of a method with a
    sampler do where that is stochastic.

    `mean` names the method whose answer is the mean of all that this one may draw: `--realism` mixes both, see
    `restoration.realism`. `draws_with` are the arguments of `restore train` for weights that draw.

    A method with a `prior` needs a network that denoises, for whatever task: `prior` names the weights that it takes by
    default, and those of every method and task serve it whose schedule does not use the degraded picture.
    """

    kind: ClassVar[str] = "method"
    tasks: tuple[str, ...] = ()
    needs_weights: bool = True
    anytime: bool = False
    uses: tuple[str, ...] | None = None
    ensembles: bool = True
    draws: bool | None = None
    mean: str = ""
    draws_with: str = ""
    prior: str = ""
    asks: tuple[CommandOption, ...] = ()
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = False

    def serves(self, task: TaskCard) -> bool:
        """Return whether the method is made for a task: it is named, or it knows an operator that the method uses."""
        return not self.tasks or task.name in self.tasks or (task.linear and "operator" in (self.uses or ()))


@dataclass(frozen=True, kw_only=True)
class WeightsCard(Card):
    """Weights that came with a plugin. `factory` is the package, then the folder in it: `"my_plugin:weights/derain"`.

    `default` makes it the first choice for its method and task; `license`, of the weights, is not stated by default.
    `realism` is a number for weights that draw one of many likely pictures: the realism that their method has for their
    task by default, 0 to leave it to the weights whose `realism` is None.
    """

    kind: ClassVar[str] = "set of weights"
    license: str = ""
    method: str
    task: str
    default: bool = True
    realism: float | None = None


@dataclass(frozen=True, kw_only=True)
class LayoutCard(Card):
    """A layout of files: it recognises networks in files of tensors that others have written, see `layouts.Layout`.

    Those of the least `turn` are asked first: 0 for networks that a plugin has itself, 1 for what knows many others.
    `parts` are the names that its recipes are made of, by the field of a recipe.
    """

    kind: ClassVar[str] = "layout"
    turn: int = 0
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MetricCard(Card):
    """A metric. `factory` is a function of two pictures, or a class whose objects are a `Metric` or a `SetMetric`.

    `title` is what tables call it, its name if empty, and `summary` how it is taken, which stands beside its numbers
    unless the metric says more, see `DescribedMetric`. Numbers have a `unit` and so many `digits` after the point;
    pictures with a shorter side than `smallest` pixels are left out. `defaults` are options that the factory is given.
    """

    kind: ClassVar[str] = "metric"
    title: str = ""
    unit: str = ""
    digits: int = 4
    less_is_better: bool = False
    smallest: int = 1
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def build(self, options: Mapping[str, Any] | None = None, parts: Mapping[str, Any] | None = None) -> Any:
        """Return the metric, see `Card.build`; a function of two pictures is it itself."""
        return super().build({**self.defaults, **(options or {})}, parts)

    def _call(self, keywords: dict[str, Any]) -> Any:
        metric = self.load()
        if inspect.isclass(metric) or not any(map(_is_positional, inspect.signature(metric).parameters.values())):
            return super()._call(keywords)
        return partial(metric, **keywords) if keywords else metric


def _is_positional(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, kw_only=True)
class CommandCard(Card):
    """A command: `restore NAME`. `factory` is a `click.Command`, `summary` the line about it in `restore --help`."""

    kind: ClassVar[str] = "command"
