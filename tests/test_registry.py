"""Plugins as they are met in the wild: found by real metadata, broken in every way, and looked up by name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from restoration.cli.faults import explained
from restoration.errors import BadPlugin, UnknownName
from restoration.registry import Plugin, Registry, registry
from restoration.registry.cards import NetworkCard, RestorerCard, SamplerCard

CARD = """
from restoration import {kind}, hookimpl

@hookimpl
def {hook}():
    yield {kind}(name="{name}", factory="{factory}", summary="a test")
"""
Install = Callable[..., None]


def card(
    name: str, factory: str = "collections:UserDict", kind: str = "RestorerCard", hook: str = "register_restorers"
) -> str:
    return CARD.format(name=name, factory=factory, kind=kind, hook=hook)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution in a folder on the path: metadata as an installer writes it, and a module."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(name: str, code: str, *, requires: tuple[str, ...] = (), entry: str = "") -> None:
        module = f"plugin_{name}"
        (site / f"{module}.py").write_text(code)
        info = site / f"restoration_{name}-1.2.dist-info"
        info.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: restoration-{name}", "Version: 1.2"]
        (info / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires)]) + "\n")
        (info / "entry_points.txt").write_text(f"[restoration]\n{entry or name} = {module}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)

    return install


def plugin(registry: Registry, name: str) -> Plugin:
    return next(plugin for plugin in registry.plugins if plugin.name == name)


def test_an_installed_plugin_is_found_with_its_cards(install: Install) -> None:
    install("good", card("goodness"))
    registry = Registry()
    found = plugin(registry, "good")
    assert (found.distribution, found.version, found.module, found.error) == (
        "restoration-good",
        "1.2",
        "plugin_good",
        "",
    )
    assert [one.name for one in found.cards] == ["goodness"]
    assert registry.card(RestorerCard, "goodness").build() == {}


def test_a_plugin_that_cannot_be_imported_is_kept_with_its_error(install: Install) -> None:
    install("bad", "import no_such_module_anywhere")
    install("good", card("goodness"))
    registry = Registry()
    assert plugin(registry, "bad").error == "ModuleNotFoundError: No module named 'no_such_module_anywhere'"
    assert registry.card(RestorerCard, "goodness")


def test_a_factory_that_is_no_name_is_told(install: Install) -> None:
    install("bad", card("x").replace('"collections:UserDict"', "dict"))
    assert "its factory must be a text, not" in plugin(Registry(), "bad").error


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(3)",
        "1 / 0",
        "def broken(:",
        "import restoration\n@restoration.hookimpl\ndef register_restorers():\n    yield 'median'",
        "import restoration\n@restoration.hookimpl\ndef register_restorers():\n    raise RuntimeError('late')",
        "import restoration\n@restoration.hookimpl\ndef register_restorers(surprise):\n    return ()",
        "import restoration\n@restoration.hookimpl\ndef register_restorer():\n    return ()",
        card("x", hook="register_networks"),
        card(""),
        card("x", factory="no colon"),
        card("x:y"),
    ],
)
def test_a_plugin_broken_in_any_way_stops_nobody(code: str, install: Install) -> None:
    install("bad", code)
    install("good", card("goodness"))
    registry = Registry()
    assert plugin(registry, "bad").error
    assert "\n" not in plugin(registry, "bad").error
    assert not plugin(registry, "bad").cards
    assert not registry.hooks.has_plugin("bad")
    assert registry.card(RestorerCard, "goodness")


def test_what_is_not_a_card_is_named(install: Install) -> None:
    install("bad", "import restoration\n@restoration.hookimpl\ndef register_restorers():\n    yield 'median'")
    error = plugin(Registry(), "bad").error
    assert error == "register_restorers brought 'median', which is not a RestorerCard"


@pytest.mark.parametrize(
    ("requirement", "words"),
    [
        ("click>=99", "needs click>=99, but "),
        ("no-such-distribution-anywhere", "needs no-such-distribution-anywhere, which is not installed"),
        ("not a requirement !", "InvalidRequirement"),
    ],
)
def test_a_requirement_that_is_not_met_is_named_before_the_import(
    requirement: str, words: str, install: Install
) -> None:
    install("old", "raise AssertionError('it was imported')", requires=("pluggy", requirement))
    error = plugin(Registry(), "old").error
    assert words in error
    assert "imported" not in error


def test_a_requirement_of_an_extra_or_another_python_does_not_count(install: Install) -> None:
    install("fine", card("fineness"), requires=("nowhere; extra == 'test'", "nowhere; python_version < '3'"))
    assert plugin(Registry(), "fine").error == ""


def test_a_name_that_is_taken_is_refused_and_the_first_stays(install: Install) -> None:
    install("first", card("shared", factory="collections:UserDict"))
    install(
        "second",
        card("shared", factory="collections:UserList") + card("other", kind="SamplerCard", hook="register_samplers"),
    )
    registry = Registry()
    assert plugin(registry, "second").error == (
        "its method 'shared' is already there from the plugin 'first'; rename one of them, or uninstall its plugin"
    )
    assert registry.card(RestorerCard, "shared").factory == "collections:UserDict"
    assert "other" not in [one.name for one in registry.cards(SamplerCard)]


def test_a_plugin_that_brings_a_name_twice_is_refused(install: Install) -> None:
    line = card("twice").splitlines()[-1]
    install("double", card("twice") + line)
    assert plugin(Registry(), "double").error == "it brings two of the method 'twice'"


def test_the_same_name_may_serve_two_kinds(install: Install) -> None:
    install("both", card("one") + card("one", kind="NetworkCard", hook="register_networks"))
    registry = Registry()
    assert registry.card(RestorerCard, "one")
    assert registry.card(NetworkCard, "one")


def test_a_plugin_cannot_take_the_place_of_another_by_its_name(install: Install) -> None:
    install("impostor", card("mask"), entry="core")
    registry = Registry()
    assert [one.error for one in registry.plugins if one.name == "core"] == [
        "",
        "another plugin, of restoration-toolbox, is named 'core'; rename one, or uninstall it",
    ]
    assert registry.hooks.has_plugin("core")
    assert registry.card(SamplerCard, "ddim")


def test_an_unknown_method_suggests_a_near_one_and_names_the_broken_plugins(install: Install) -> None:
    install("good", card("median"))
    install("bad", "1 / 0")
    with pytest.raises(UnknownName) as caught:
        Registry().card(RestorerCard, "medain")
    assert str(caught.value) == (
        "no method is named 'medain'; did you mean 'median'? (could not load: bad, see `restore plugins`)"
    )


def test_only_some_plugins_are_loaded_when_asked(install: Install) -> None:
    install("good", card("goodness"))
    install("bad", "1 / 0")
    assert [one.name for one in Registry(only=["good"]).plugins] == ["core", "good"]
    assert [one.name for one in Registry(only=[]).plugins] == ["core"]
    with pytest.raises(UnknownName, match="no plugin is named 'goood'; did you mean 'good'"):
        Registry(only=["goood"])


@pytest.mark.parametrize(("names", "found"), [("", "core"), ("lone", "core,lone"), (",lone,", "core,lone")])
def test_a_variable_limits_the_plugins_of_a_process(names: str, found: str, install: Install, tmp_path: Path) -> None:
    install("lone", card("loneliness"))
    code = "from restoration.registry import registry; print(','.join(p.name for p in registry().plugins))"
    environment = {**os.environ, "RESTORATION_PLUGINS": names, "PYTHONPATH": str(tmp_path / "site")}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == found


def test_a_plugin_may_be_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "plugin_in_one_file.py"
    monkeypatch.delitem(sys.modules, file.stem, raising=False)
    file.write_text(card("single", factory="plugin_in_one_file:Single") + "\nclass Single:\n    pass\n")
    for _ in range(2):
        registry = Registry(only=[], files=[file])
        assert type(registry.card(RestorerCard, "single").build()).__name__ == "Single"
    monkeypatch.delitem(sys.modules, file.stem)


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("nowhere.py", None, "is not a Python file"),
        ("plugin.txt", "", "is not a Python file"),
        ("plugin_with_a_fault.py", "1 / 0", "cannot be loaded: ZeroDivisionError: division by zero"),
        ("plugin_taken.py", card("ddim", kind="SamplerCard", hook="register_samplers"), "is already there"),
        ("json.py", "", "has the name of a Python module, json; call it something else"),
        ("torch.py", "", "has the name of a Python module, torch; call it something else"),
    ],
)
def test_a_file_that_is_no_plugin_is_one_clear_error(name: str, code: str | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / name
    if code is not None:
        file.write_text(code)
    before = sys.modules.get(file.stem)
    with pytest.raises(BadPlugin) as caught:
        Registry(only=[], files=[file])
    assert words in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert before is None or sys.modules[file.stem] is before


UNFIT = """
import torch

class Unfit(torch.nn.Module):
    def forward(self):
        return 1

    def at(self, t, more):
        return t

class Closed:
    def __init__(self, wanted):
        pass

def unfit(image):
    return 1.0
"""


@pytest.mark.parametrize("what", ["network(1)", "network.at(1)", "function(1, 2)", "closed()"])
def test_what_is_called_with_arguments_that_it_does_not_take_is_the_fault_of_its_plugin(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plugin_unfit.py").write_text(UNFIT + card("unfit"))
    monkeypatch.delitem(sys.modules, "plugin_unfit", raising=False)
    registry().add_file(tmp_path / "plugin_unfit.py")
    code = sys.modules["plugin_unfit"]
    called = {"network": code.Unfit(), "function": code.unfit, "closed": code.Closed}
    with pytest.raises(TypeError) as caught:
        exec(f"def call({', '.join(called)}): {what}\ncall(*made)", {"made": called.values()})
    told = explained(caught.value)
    registry.cache_clear()
    assert told.endswith("(a fault of the plugin plugin_unfit; --debug shows where)")


def test_a_plugin_that_imports_what_is_heavy_is_remarked(install: Install, tmp_path: Path) -> None:
    install("heavy", "import numpy\n" + card("heaviness"))
    code = "from restoration.registry import Registry; print(Registry(only=['heavy']).plugins[1].remarks)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "imports numpy when it is loaded, which every command waits for; import it where it is used" in ran.stdout


def test_looking_at_plugins_imports_nothing_heavy() -> None:
    code = "import sys; from restoration.registry import registry; registry(); print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
