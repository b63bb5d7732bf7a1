"""Loads plugins, survives the broken ones, and looks things up by name."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy
from pluggy import HookImpl

from restoration.errors import BadPlugin, UnknownName, did_you_mean, nearest, plain
from restoration.registry import builtin, hookspecs
from restoration.registry.cards import (
    Card,
    CommandCard,
    LayoutCard,
    MetricCard,
    NetworkCard,
    ObjectiveCard,
    RestorerCard,
    SamplerCard,
    ScheduleCard,
    TaskCard,
    WeightsCard,
)
from restoration.registry.discovery import GROUP, Plugin, installed, unmet_requirement
from restoration.registry.distributions import TOOLBOX, advice, belonging, version
from restoration.registry.guard import guarded
from restoration.registry.metadata import canonical, load
from restoration.registry.validation import checked

if TYPE_CHECKING:
    from pathlib import Path

HOOKS: dict[type[Card], str] = {
    NetworkCard: "register_networks",
    ScheduleCard: "register_schedules",
    ObjectiveCard: "register_objectives",
    SamplerCard: "register_samplers",
    RestorerCard: "register_restorers",
    TaskCard: "register_tasks",
    WeightsCard: "register_weights",
    LayoutCard: "register_layouts",
    MetricCard: "register_metrics",
    CommandCard: "register_commands",
}
MOST = 50_000
"""The most cards that one hook may bring: one that never ends would stop everybody."""
VARIABLE = "RESTORATION_PLUGINS"
HEAVY = ("torch", "numpy")
"""Packages that a plugin imports where it uses them: looking at cards needs none, and would wait for them."""
C = TypeVar("C", bound=Card)


class Registry:
    """The plugins of this process and the cards they brought.

    `only` limits the installed plugins to some names; `files` adds one-file plugins.
    """

    def __init__(self, only: Iterable[str] | None = None, files: Iterable[str | Path] = ()) -> None:
        self.hooks = pluggy.PluginManager(GROUP)
        self.hooks.add_hookspecs(hookspecs)
        self.plugins: list[Plugin] = []
        self._cards: dict[type[Card], dict[str, Card]] = {kind: {} for kind in HOOKS}
        self._add(Plugin(name="core", distribution=TOOLBOX, module=builtin.__name__), builtin)
        wanted = None if only is None else set(only)
        found = installed() if wanted is None or wanted else []
        for plugin in found:
            if wanted is None or plugin.name in wanted:
                self._load(plugin)
        missing = sorted((wanted or set()) - {plugin.name for plugin in self.plugins})
        if missing:
            raise UnknownName("plugin", missing[0], [plugin.name for plugin in found])
        for file in files:
            self.add_file(file)

    def add_file(self, file: str | Path) -> None:
        """Load a plugin that is a single Python file. Raises `BadPlugin`: it was asked for by name."""
        from pathlib import Path

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
            with guarded(plugin.remarks.append):
                spec.loader.exec_module(module)
        except BadPlugin as error:
            sys.modules.pop(path.stem, None)
            raise BadPlugin(f"{path} cannot be loaded: {error}") from error
        self._add(plugin, module)
        if plugin.error:
            raise BadPlugin(f"{path}: {plugin.error}")

    def cards(self, kind: type[C]) -> list[C]:
        """Return all cards of a kind, sorted by name."""
        return sorted(self.arrived(kind), key=lambda card: card.name)

    def arrived(self, kind: type[C]) -> list[C]:
        """Return all cards of a kind in the order of the plugins that brought them."""
        return [card for card in self._cards[kind].values() if isinstance(card, kind)]

    def card(self, kind: type[C], name: str) -> C:
        """Return a card by name, `card` or `card:variant`; the factory alone knows which variants there are.

        Raises `UnknownName`, with the nearest name, the plugins that could not load and what to install.
        """
        stem, colon, variant = name.partition(":")
        card = self._cards[kind].get(stem)
        if isinstance(card, kind) and not colon:
            return card
        if isinstance(card, kind) and card.variants and variant:
            return replace(card, name=name)
        many = f":{variant or 'NAME'}" if colon else ""
        raise self.unknown(kind, name, [card.name + (many if card.variants else "") for card in self.cards(kind)])

    def unknown(self, kind: type[Card], name: str, known: Iterable[str] | None = None) -> UnknownName:
        """Return the error for a name that no card of a kind has; `known` are those that it might have meant."""
        known = [card.name for card in self.cards(kind)] if known is None else list(known)
        return UnknownName(kind.kind, name, known, self.hint(name, known))

    def hint(self, name: str = "", known: Iterable[str] = ()) -> str:
        """Say why a name may not be there: what is broken, and what to install, unless one of the `known` is near."""
        broken = [plain(plugin.name) for plugin in self.plugins if plugin.error]
        hints = [f"could not load: {', '.join(broken)}, see `restore plugins`"] if broken else []
        lacking = self.lacking(name)
        if lacking and not nearest(name, known):
            hints.append(lacking if lacking.startswith(VARIABLE) else f"not all plugins are installed: {lacking}")
        return "; ".join(hints)

    def lacking(self, name: str = "") -> str:
        """Return the command that installs a plugin by name, or all of the toolbox; nothing if all are there.

        Where they are installed and not loaded, it says that too.
        """
        lacking = belonging() - {canonical(plugin.distribution) for plugin in self.plugins}
        absent = [one for one in lacking if not version(one)]
        if lacking and not absent and VARIABLE in os.environ:
            value = plain(os.environ[VARIABLE])
            return f"{VARIABLE}={value!r} leaves plugins out; where they are not installed, {advice(name, lacking)}"
        return advice(name, absent)

    def owner(self, card: Card) -> Plugin:
        """Return the plugin that brought a card."""
        return next(plugin for plugin in self.plugins if card in plugin.cards)

    def label(self, kind: type[Card], name: str) -> str:
        """Return what a card is called where it is at fault: with the plugin that brought it."""
        card = self._cards[kind].get(name.partition(":")[0])
        plugin = None if card is None else self.owner(card)
        brought = "" if plugin is None else plain(plugin.distribution or plugin.name)
        return f"{kind.kind} {name!r}" + (f" of the plugin {brought}" if brought else "")

    def _load(self, plugin: Plugin) -> None:
        absent = [name for name in HEAVY if name not in sys.modules]
        try:
            with guarded(plugin.remarks.append):
                plugin.error = plugin.error or unmet_requirement(plugin.requires)
                module = None if plugin.error else load(plugin.module)
        except BadPlugin as error:
            plugin.error, module = str(error), None
        for name in [name for name in absent if name in sys.modules][:1]:
            plugin.remarks.append(
                f"imports {name} when it is loaded, which every command waits for; import it where it is used"
            )
        if module is None:
            self.plugins.append(plugin)
        else:
            self._add(plugin, module)

    def _add(self, plugin: Plugin, module: ModuleType) -> None:
        """Take the cards of a module; all of them or, if one is wrong, none."""
        self.plugins.append(plugin)
        if self.hooks.has_plugin(plugin.name):
            first = next(one for one in self.plugins if one.name == plugin.name)
            of = f", of {first.distribution}," if first.distribution else ""
            plugin.error = f"another plugin{of} is named {plugin.name!r}; rename one, or uninstall it"
            return
        cards: dict[tuple[type[Card], str], Card] = {}
        try:
            with guarded(plugin.remarks.append):
                self._register(plugin, module)
                for kind, card in self._brought(module):
                    if card.name in self._cards[kind]:
                        other = self.owner(self._cards[kind][card.name]).name
                        taken = f"its {card.kind} {card.name!r} is already there from the plugin {other!r}"
                        raise BadPlugin(f"{taken}; rename one of them, or uninstall its plugin")
                    if (kind, card.name) in cards:
                        raise BadPlugin(f"it brings two of the {card.kind} {card.name!r}")
                    cards[kind, card.name] = card
        except BadPlugin as error:
            plugin.error = str(error)
            if self.hooks.has_plugin(plugin.name):
                self.hooks.unregister(name=plugin.name)
            return
        plugin.cards = list(cards.values())
        for (kind, name), card in cards.items():
            self._cards[kind][name] = card

    def _register(self, plugin: Plugin, module: ModuleType) -> None:
        """Let pluggy take the hooks of a module. Raises `BadPlugin` for one that is unknown or has other arguments."""
        try:
            self.hooks.register(module, name=plugin.name)
        except pluggy.PluginValidationError as error:
            raise BadPlugin(plain(str(error))) from error
        for caller in self.hooks.get_hookcallers(module) or ():
            impls = [impl for impl in caller.get_hookimpls() if impl.plugin is module]
            if not caller.has_spec() and not all(impl.optionalhook for impl in impls):
                raise BadPlugin(f"no hook is named {caller.name!r}{did_you_mean(caller.name, vars(hookspecs))}")
            if any(impl.wrapper or impl.hookwrapper for impl in impls):
                raise BadPlugin(f"{caller.name} wraps those of other plugins, which no hook of the toolbox allows")
        for name in sorted({*HOOKS.values(), *(name for name in dir(module) if name.startswith("register_"))}):
            there = getattr(module, name, None)
            if there is not None and self.hooks.parse_hookimpl_opts(module, name) is None and _is_own(there, module):
                plugin.remarks.append(f"{name} is not marked with @hookimpl, so what it brings is not there")

    def _brought(self, module: ModuleType) -> Iterator[tuple[type[Card], Card]]:
        """Call what pluggy knows of a module as hooks that register; yield the cards."""
        for kind, hook in HOOKS.items():
            impls: list[HookImpl] = getattr(self.hooks.hook, hook).get_hookimpls()
            for impl in reversed([impl for impl in impls if impl.plugin is module]):
                brought: Any = impl.function()
                if isinstance(brought, Card):
                    raise BadPlugin(f"{hook} returned a card; yield it, or return a list of cards")
                for number, card in enumerate(() if brought is None else brought):
                    if number == MOST:
                        raise BadPlugin(f"{hook} brought more than {MOST} cards")
                    yield kind, checked(card, kind, hook)


def _is_own(thing: object, module: ModuleType) -> bool:
    """Say whether a module made a function itself, or has something else under the name of one."""
    return not callable(thing) or getattr(thing, "__module__", None) == getattr(module, "__name__", None)


def _is_module(path: Path) -> bool:
    """Say whether the name of a file is that of another module, which the file would hide."""
    loaded = sys.modules.get(path.stem)
    try:
        spec = loaded.__spec__ if loaded else importlib.util.find_spec(path.stem.partition(".")[0])
        if spec is None or spec.origin is None:
            return loaded is not None
        return not path.samefile(spec.origin)
    except (OSError, ValueError):
        return True


@cache
def registry() -> Registry:
    """Return the registry of this process, made on first use; `RESTORATION_PLUGINS=a,b` limits it to some plugins."""
    names = os.environ.get(VARIABLE)
    return Registry(only=None if names is None else [name for name in names.split(",") if name])
