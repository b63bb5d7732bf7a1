"""Plugins that are broken or hostile: each costs one line, and others work as if it were not there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from restoration.errors import BadPlugin, one_line
from restoration.registry import Plugin, Registry
from restoration.registry.cards import (
    Card,
    CommandCard,
    CommandOption,
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
from restoration.registry.plugins import HOOKS
from restoration.registry.validation import checked

Install = Callable[..., None]
HEAD = "import os, sys\nfrom restoration import CommandOption, RestorerCard, SamplerCard, hookimpl\n"
GOOD = "@hookimpl\ndef register_samplers():\n    yield SamplerCard(name='good', factory='a:b', summary='s')\n"


def evil(card: str = "", **fields: object) -> str:
    """A module that brings a method with some fields of its card as they are written here."""
    given: dict[str, object] = {"name": "'evil'", "summary": "'s'", "factory": "'collections:UserDict'", **fields}
    made = card or f"RestorerCard({', '.join(f'{name}={value}' for name, value in given.items())})"
    return f"{HEAD}@hookimpl\ndef register_restorers():\n    return [{made}]\n"


def hook(body: str) -> str:
    return f"{HEAD}@hookimpl\ndef register_restorers():\n    {body}\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path for plugins that are not there otherwise."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def install(site: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a plugin there, as an installer would: `install("evil", code)`."""

    def install(name: str, code: str, *, metadata: str | None = None, entries: str | bytes = "") -> None:
        module = f"fault_{name}"
        (site / f"{module}.py").write_text(code)
        info = site / f"fault_{name}-1.0.dist-info"
        info.mkdir()
        told = f"Metadata-Version: 2.1\nName: fault-{name}\nVersion: 1.0\n" if metadata is None else metadata
        (info / "METADATA").write_text(told)
        points = entries or f"[restoration]\n{name} = {module}\n"
        (info / "entry_points.txt").write_bytes(points if isinstance(points, bytes) else points.encode())
        monkeypatch.delitem(sys.modules, module, raising=False)

    return install


def found(name: str = "evil") -> Plugin:
    """Load everything; the good plugin must be there whatever the other does. Return the other."""
    registry = Registry()
    assert registry.card(SamplerCard, "good")
    return next(plugin for plugin in registry.plugins if plugin.name == name)


RAISES = {
    "raise RuntimeError('no\\nway')": "RuntimeError: no",
    "def (": "SyntaxError: ",
    "import nothing_there": "ModuleNotFoundError: No module named 'nothing_there'",
    "import sys; sys.exit(3)": "SystemExit: 3",
    "import os; os._exit(7)": "SystemExit: 7",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise GeneratorExit": "GeneratorExit",
    "raise MemoryError": "MemoryError",
    "def f(): f()\nf()": "RecursionError: ",
    "class B(BaseException): pass\nraise B('x')": "B: x",
    "class E(Exception):\n def __str__(self): raise ValueError\nraise E": "E: its text cannot be read",
    "class E(Exception):\n def __str__(self): sys.exit()\nimport sys; raise E": "E: its text cannot be read",
    "raise ValueError('\\x1b[2Jgot you')": "ValueError: \N{REPLACEMENT CHARACTER}[2Jgot you",
    "raise ValueError('a' * 10000)": f"ValueError: {'a' * 300}",
    "def __getattr__(name): raise ValueError(name)": "ValueError: ",
}


@pytest.mark.parametrize("code", RAISES, ids=lambda code: code[:40].replace("\n", " "))
def test_what_a_module_raises_is_one_line(code: str, install: Install) -> None:
    install("evil", code)
    install("good", HEAD + GOOD)
    error = found().error
    assert error.startswith(RAISES[code])
    assert error.isprintable() and len(error) < 400


BROUGHT = {
    "raise ValueError('x')": "ValueError: x",
    "sys.exit(4)": "SystemExit: 4",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "return 5": "TypeError: 'int' object is not iterable",
    "return 'abc'": "register_restorers brought 'a', which is not a RestorerCard",
    "return {'a': 1}": "register_restorers brought 'a', which is not a RestorerCard",
    "return RestorerCard(name='a', factory='a:b', summary='s')": "register_restorers returned a card; yield it",
    "return [SamplerCard(name='a', factory='a:b', summary='s')]": "which is not a RestorerCard",
    "yield RestorerCard(name='a', factory='a:b', summary='s'); raise ValueError('midway')": "ValueError: midway",
    "return [RestorerCard(name='a', factory='a:b', summary='s')] * 2": "it brings two of the method 'a'",
    "return [RestorerCard(name='a')]": "TypeError: ",
    "for i in range(MOST + 1): yield RestorerCard(name=f'a{i}', factory='a:b', summary='s')": "more than 100 cards",
}


@pytest.mark.parametrize("body", BROUGHT, ids=lambda body: body[:40])
def test_a_hook_that_brings_something_else_is_one_line(
    body: str, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restoration.registry.plugins.MOST", 100)
    install("evil", hook(body).replace("MOST", "100"))
    install("good", HEAD + GOOD)
    plugin = found()
    assert BROUGHT[body] in plugin.error
    assert not plugin.cards


HOOKED = {
    "@hookimpl\ndef register_restorers(x):\n    return []": "Argument(s) {'x'} are declared in the hookimpl",
    "@hookimpl\ndef register_commands(cli):\n    return []": "Argument(s) {'cli'} are declared in the hookimpl",
    "@hookimpl\ndef register_restorer():\n    return []": "no hook is named 'register_restorer'; did you mean",
    "@hookimpl(wrapper=True)\ndef restored(result):\n    yield": "restored wraps those of other plugins",
    "@hookimpl(hookwrapper=True)\ndef register_tasks():\n    yield": "register_tasks wraps those of other plugins",
}


@pytest.mark.parametrize("code", HOOKED)
def test_a_hook_that_there_is_not_is_named(code: str, install: Install) -> None:
    install("evil", HEAD + code)
    install("good", HEAD + GOOD)
    assert HOOKED[code] in found().error


class Strange:
    """What is of no type that a card knows, and cannot be hashed."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise ValueError("not to be compared")


CARDS: list[Card] = [
    NetworkCard(name="a", factory="a:b", summary="s"),
    ScheduleCard(name="a", factory="a:b", summary="s"),
    ObjectiveCard(name="a", factory="a:b", summary="s"),
    SamplerCard(name="a", factory="a:b", summary="s"),
    RestorerCard(name="a", factory="a:b", summary="s"),
    TaskCard(name="a", factory="a:b", summary="s", asks=(CommandOption(name="a", help="h"),)),
    WeightsCard(name="a", factory="a:b", summary="s", method="m", task="t"),
    MetricCard(name="a", factory="a:b", summary="s"),
    CommandCard(name="a", factory="a:b", summary="s"),
    LayoutCard(name="a", factory="a:b", summary="s"),
]
WRONG: list[Any] = [None, Strange(), object, -1, [[]], {1: 2}]
CASES = [(card, one.name) for card in CARDS for one in fields(card)]


def test_every_kind_of_card_has_a_hook_and_is_tried() -> None:
    assert {type(card) for card in CARDS} == set(Card.__subclasses__()) == set(HOOKS)


@pytest.mark.parametrize(("card", "field"), CASES, ids=lambda one: one if isinstance(one, str) else one.kind)
def test_every_field_of_every_card_is_checked(card: Card, field: str) -> None:
    kind = type(card)
    assert checked(card, kind, "hook") == card
    for wrong in (one for one in WRONG if one is not getattr(card, field)):
        with pytest.raises(BadPlugin) as caught:
            checked(replace(card, **{field: wrong}), kind, "hook")
        assert f" {field}" in str(caught.value) or f"card {str(wrong)[:60]!r}" in str(caught.value)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("field", "wrong", "words"),
    [
        ("name", "''", "it needs a name"),
        ("name", "'\\x1b[31mred'", "it needs a name"),
        ("name", "'a\\nb'", "it needs a name"),
        ("name", "'a\\tb'", "it needs a name"),
        ("name", "'--help'", "it needs a name"),
        ("name", "'a@10'", "it needs a name"),
        ("name", "'a:b'", "what follows a colon is of its variants"),
        ("name", "type('S', (str,), {'__hash__': None})('x')", ""),
        ("summary", "'\\x1b[31mred'", "its summary must be one line of text"),
        ("summary", "'two\\nlines'", "its summary must be one line of text"),
        ("factory", "'a'", "it needs a factory 'package.module:name', not 'a'"),
        ("factory", "5", "its factory must be a text, not '5'"),
        ("tasks", "5", "its tasks must be a tuple, each of them a text, not '5'"),
        ("tasks", "'denoise'", "its tasks must be a tuple, each of them a text, not 'denoise'"),
        ("tasks", "(5,)", "its tasks, each of them, must be a text, not '5'"),
        ("defaults", "5", "its defaults must be a dict, not '5'"),
        ("defaults", "{'network': 5}", "its defaults 'network' must be a dict, not '5'"),
        ("needs_weights", "'no'", "its needs_weights must be True or False, not 'no'"),
        ("asks", "None", "its asks must be a tuple, each of them a CommandOption, not 'None'"),
        ("asks", "(5,)", "its asks, each of them, must be a CommandOption, not '5'"),
        ("asks", "(CommandOption(name='', help='h'),)", "it asks for an option ''"),
        ("asks", "(CommandOption(name='a b', help='h'),)", "it asks for an option 'a b'"),
        ("asks", "(CommandOption(name='a', help=None),)", "its asks, each of them, help must be a text"),
        ("asks", "(CommandOption(name='a', help='h', values='odd'),)", "number, whole, file, map or a tuple of words"),
        ("variants", "'a b'", "its variants must name an option"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(field: str, wrong: str, words: str, install: Install) -> None:
    install("evil", evil(**{field: wrong}))
    install("good", HEAD + GOOD)
    assert words in found().error
    assert bool(found().error) == bool(words)


def test_lists_are_as_good_as_tuples_and_a_text_of_another_class_becomes_one() -> None:
    class Name(str):
        pass

    card = checked(RestorerCard(name=Name("a"), factory="a:b", summary="s", tasks=["x"]), RestorerCard, "hook")  # type: ignore[arg-type]
    assert card.tasks == ("x",)
    assert type(card.name) is str


def test_weights_lie_in_their_package() -> None:
    for inside in ("../../etc", "weights/../..", "/etc"):
        card = WeightsCard(name="a", factory=f"a:{inside}", summary="s", method="m", task="t")
        with pytest.raises(BadPlugin, match="its folder must lie in its package"):
            checked(card, WeightsCard, "hook")


DISTRIBUTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"metadata": "Metadata-Version: 2.1\nVersion: 1.0\n"}, ""),
    "no version": ({"metadata": "Metadata-Version: 2.1\nName: fault-evil\n"}, ""),
    "nothing": ({"metadata": "\n"}, ""),
    "bad requirement": ({"metadata": "Metadata-Version: 2.1\nName: x\nVersion: 1\nRequires-Dist: ???\n"}, "InvalidReq"),
    "missing module": ({"entries": "[restoration]\nevil = nothing_there\n"}, "No module named 'nothing_there'"),
    "missing attribute": ({"entries": "[restoration]\nevil = fault_evil:x.y\n"}, "AttributeError"),
    "no reference": ({"entries": "[restoration]\nevil = ???\n"}, "its entry point is '???', not a module"),
    "empty": ({"entries": "[restoration]\nevil =\n"}, "its entry point is '', not a module"),
}


@pytest.mark.parametrize("what", DISTRIBUTIONS)
def test_a_distribution_that_is_not_as_it_should_be_stops_nobody(what: str, install: Install) -> None:
    how, words = DISTRIBUTIONS[what]
    install("evil", "x = 1", **how)
    install("good", HEAD + GOOD)
    assert words in found().error
    assert bool(found().error) == bool(words)


@pytest.mark.parametrize(
    "entries", ["[other]\nx\n", "[[[\n=\n", b"[restoration]\nevil = fault_evil\n# \xff\xfe\n", "[restoration]\n"]
)
def test_entry_points_that_cannot_be_read_stop_nobody(entries: str | bytes, install: Install) -> None:
    install("evil", "x = 1", entries=entries)
    install("good", HEAD + GOOD)
    registry = Registry()
    assert registry.card(SamplerCard, "good")
    assert [plugin.error for plugin in registry.plugins if plugin.distribution == "fault-evil"] in (
        [],
        ["it has no entry point in the group 'restoration'"],
    )


def test_what_belongs_to_the_toolbox_has_its_names_then_who_was_there_first(
    install: Install, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, day in (("aaa", 3), ("bbb", 1), ("own", 9), ("ccc", 2)):
        install(name, evil())
        os.utime(site / f"fault_{name}-1.0.dist-info", (day * 86400, day * 86400))
    monkeypatch.setattr("restoration.registry.discovery.belonging", lambda: frozenset({"fault-own"}))
    plugins = {plugin.name: plugin for plugin in Registry(only=["aaa", "bbb", "ccc", "own"]).plugins}
    assert list(plugins) == ["core", "own", "bbb", "ccc", "aaa"]
    assert plugins["own"].cards and not plugins["own"].error
    assert (
        plugins["aaa"].error
        == "its method 'evil' is already there from the plugin 'own'; rename one of them, or uninstall its plugin"
    )
    (site / "fault_own-1.0.dist-info" / "entry_points.txt").unlink()
    assert [plugin.name for plugin in Registry(only=["aaa", "bbb", "ccc"]).plugins if plugin.cards] == ["core", "bbb"]


def test_no_command_takes_the_place_of_one_of_ours(install: Install) -> None:
    code = "from restoration import CommandCard, hookimpl\n@hookimpl\ndef register_commands():\n"
    install("evil", f"{code}    yield CommandCard(name='run', factory='a:b', summary='s')\n")
    install("good", HEAD + GOOD)
    assert (
        found().error
        == "its command 'run' is already there from the plugin 'core'; rename one of them, or uninstall its plugin"
    )


MARKED = f"""{HEAD}
def register_restorers():
    yield RestorerCard(name="unmarked", factory="a:b", summary="s")

@hookimpl(specname="register_restorers", trylast=True)
def last():
    yield RestorerCard(name="last", factory="a:b", summary="s")

@hookimpl(specname="register_restorers")
def middle():
    yield RestorerCard(name="middle", factory="a:b", summary="s")

@hookimpl(specname="register_restorers", tryfirst=True)
def first():
    yield RestorerCard(name="first", factory="a:b", summary="s")

def register_network():
    return ()

register_tasks = 5
"""


def test_pluggy_says_what_is_a_hook_and_in_which_order(install: Install) -> None:
    install("evil", MARKED)
    install("good", HEAD + GOOD)
    plugin = found()
    assert [card.name for card in plugin.cards] == ["first", "middle", "last"]
    assert plugin.remarks == [
        f"{name} is not marked with @hookimpl, so what it brings is not there"
        for name in ("register_network", "register_restorers", "register_tasks")
    ]


def test_a_process_that_a_plugin_forks_ends_as_it_says(install: Install) -> None:
    fork = "pid = os.fork()\nif not pid: os._exit(9)\nSTATUS = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])\n"
    install("evil", HEAD + fork)
    install("good", HEAD + GOOD)
    assert found().error == ""
    assert sys.modules["fault_evil"].STATUS == 9


def test_an_error_is_one_line_whatever_its_text() -> None:
    assert one_line(ValueError()) == "ValueError"
    assert one_line(ValueError("\n a \t b\n c")) == "ValueError: a b"
    assert one_line(ValueError("\x07bell")) == "ValueError: \N{REPLACEMENT CHARACTER}bell"


def test_what_an_objective_learns_from_is_one_of_three_words() -> None:
    for word in ("clean", "pairs", "degraded"):
        checked(ObjectiveCard(name="a", factory="a:b", summary="s", learns_from=word), ObjectiveCard, "hook")
    with pytest.raises(BadPlugin, match="what it learns from is clean, pairs or degraded, not 'noise'"):
        checked(ObjectiveCard(name="a", factory="a:b", summary="s", learns_from="noise"), ObjectiveCard, "hook")
