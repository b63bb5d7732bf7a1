"""Finds plugins, survives the broken ones, looks things up by name."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pluggy

from restoration.errors import BadPlugin, UnknownName
from restoration.registry import builtin, hookspecs
from restoration.registry.cards import (
    Card,
    NetworkCard,
    ObjectiveCard,
    RestorerCard,
    SamplerCard,
    ScheduleCard,
    TaskCard,
    WeightsCard,
)
from restoration.registry.distributions import TOOLBOX, advice

GROUP = "restoration"
HOOKS: dict[type[Card], str] = {
    NetworkCard: "register_networks",
    ScheduleCard: "register_schedules",
    ObjectiveCard: "register_objectives",
    SamplerCard: "register_samplers",
    RestorerCard: "register_restorers",
    TaskCard: "register_tasks",
    WeightsCard: "register_weights",
}
C = TypeVar("C", bound=Card)


@dataclass(kw_only=True)
class Plugin:
    """A plugin that was found: loaded, or broken and why."""

    name: str
    distribution: str = ""
    version: str = ""
    module: str = ""
    error: str = ""
    cards: list[Card] = field(default_factory=list)

    @property
    def package(self) -> str:
        """The name that Python knows its code by, without what follows the first dot."""
        return re.split("[.:]", Path(self.module).name)[0]


class Registry:
    """The plugins of this process and the cards they brought.

    `only` limits the installed plugins to some names; `files` adds one-file plugins.
    """

    def __init__(self, only: Iterable[str] | None = None, files: Iterable[str | Path] = ()) -> None:
        self.hooks = pluggy.PluginManager(GROUP)
        self.hooks.add_hookspecs(hookspecs)
        self.plugins: list[Plugin] = []
        self._cards: dict[tuple[type[Card], str], Card] = {}
        self._add(Plugin(name="core", distribution=TOOLBOX, module=builtin.__name__), builtin)
        wanted = None if only is None else set(only)
        for entry in sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name):
            if wanted is None or entry.name in wanted:
                self._load(entry)
        missing = sorted((wanted or set()) - {plugin.name for plugin in self.plugins})
        if missing:
            raise UnknownName("plugin", missing[0], [e.name for e in metadata.entry_points(group=GROUP)])
        for file in files:
            self.add_file(file)

    def add_file(self, file: str | Path) -> None:
        """Load a plugin that is a single Python file. Raises `BadPlugin`: it was asked for by name."""
        path = Path(file)
        plugin = Plugin(name=path.stem, module=str(path))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise BadPlugin(f"{path} is not a Python file")
        if _is_module(path):
            raise BadPlugin(f"{path} has the name of a Python module, {path.stem}; call it something else")
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            sys.modules.pop(path.stem, None)
            raise BadPlugin(f"{path} cannot be loaded: {one_line(error)}") from error
        self._add(plugin, module)
        if plugin.error:
            raise BadPlugin(f"{path}: {plugin.error}")

    def cards(self, kind: type[C]) -> list[C]:
        """Return all cards of a kind, sorted by name."""
        return sorted((card for card in self._cards.values() if isinstance(card, kind)), key=lambda card: card.name)

    def card(self, kind: type[C], name: str) -> C:
        """Return a card by name, `card` or `card:variant`; the factory alone knows which variants there are.

        Raises `UnknownName`, with the nearest name and the plugins that could not load.
        """
        stem, colon, variant = name.partition(":")
        card = self._cards.get((kind, stem))
        if isinstance(card, kind) and not colon:
            return card
        if isinstance(card, kind) and card.variants and variant:
            return replace(card, name=name)
        broken = [plugin.name for plugin in self.plugins if plugin.error]
        hints = [f"could not load: {', '.join(broken)}, see `restore plugins`"] if broken else []
        if install := advice(stem):
            hints.append(f"not all plugins are installed: {install}")
        many = f":{variant or 'NAME'}" if colon else ""
        known = [card.name + (many if card.variants else "") for card in self.cards(kind)]
        raise UnknownName(kind.kind, name, known, "; ".join(hints))

    def _load(self, entry: metadata.EntryPoint) -> None:
        distribution = entry.dist
        plugin = Plugin(
            name=entry.name,
            distribution=distribution.name if distribution else "",
            version=distribution.version if distribution else "",
            module=entry.value,
        )
        module = None
        try:
            plugin.error = unmet_requirement(distribution) if distribution else ""
            if not plugin.error:
                module = entry.load()
        except (Exception, SystemExit) as error:
            plugin.error = one_line(error)
        if module is None:
            self.plugins.append(plugin)
        else:
            self._add(plugin, module)

    def _add(self, plugin: Plugin, module: ModuleType) -> None:
        """Take the cards of a module; all of them or, if one is wrong, none."""
        taken = self.hooks.has_plugin(plugin.name)
        self.plugins.append(plugin)
        if taken:
            plugin.error = f"another plugin is named {plugin.name!r}"
            return
        try:
            self.hooks.register(module, name=plugin.name)
            self.hooks.check_pending()
            cards: dict[tuple[type[Card], str], Card] = {}
            for kind, card in _cards_of(module):
                if (kind, card.name) in self._cards:
                    raise BadPlugin(f"its {card.kind} {card.name!r} is already there from another plugin")
                if (kind, card.name) in cards:
                    raise BadPlugin(f"it brings two of the {card.kind} {card.name!r}")
                cards[kind, card.name] = card
        except (Exception, SystemExit) as error:
            plugin.error = one_line(error)
            if self.hooks.has_plugin(plugin.name):
                self.hooks.unregister(name=plugin.name)
            return
        plugin.cards = list(cards.values())
        self._cards.update(cards)


def _cards_of(module: ModuleType) -> Iterable[tuple[type[Card], Card]]:
    for kind, hook in HOOKS.items():
        for card in getattr(module, hook, tuple)() or ():
            if not isinstance(card, kind):
                raise BadPlugin(f"{hook} brought {card!r}, which is not a {kind.__name__}")
            named = isinstance(card.name, str) and card.name
            if not named or not isinstance(card.factory, str) or ":" not in card.factory:
                raise BadPlugin(
                    f"{hook} brought a card {card.name!r} without a name or a factory 'package.module:name'"
                )
            if ":" in card.name:
                raise BadPlugin(f"{hook} brought a card {card.name!r}: what follows a colon is of its variants")
            yield kind, card


def _is_module(path: Path) -> bool:
    """Say whether the name of a file is that of another module, which the file would hide."""
    loaded = sys.modules.get(path.stem)
    try:
        spec = loaded.__spec__ if loaded else importlib.util.find_spec(path.stem.partition(".")[0])
        if spec is None or spec.origin is None:
            return loaded is not None
        return not Path(spec.origin).samefile(path)
    except (OSError, ValueError):
        return True


def unmet_requirement(distribution: metadata.Distribution) -> str:
    """Return, for an installed plugin, the first of its requirements that this environment does not meet."""
    from packaging.requirements import Requirement

    for text in distribution.requires or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            return f"needs {requirement.name}{requirement.specifier}, which is not installed"
        if not requirement.specifier.contains(version, prereleases=True):
            return f"needs {requirement.name}{requirement.specifier}, but {version} is installed"
    return ""


def one_line(error: BaseException) -> str:
    """Return an exception as one line: its kind and the first line of its text."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


@cache
def registry() -> Registry:
    """Return the registry of this process, made on first use; `RESTORATION_PLUGINS=a,b` limits it to some plugins."""
    names = os.environ.get("RESTORATION_PLUGINS")
    return Registry(only=None if names is None else [name for name in names.split(",") if name])


def hook(name: str, /, **arguments: Any) -> Any:
    """Call a hook of every plugin."""
    return getattr(registry().hooks.hook, name)(**arguments)
