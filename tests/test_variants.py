"""One card for many: what follows a colon in a name."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from restoration.errors import BadOption, BadPlugin, UnknownName
from restoration.registry import Registry
from restoration.registry.cards import NetworkCard

MANY = """
from restoration import NetworkCard, hookimpl

@hookimpl
def register_networks():
    for name, factory in (("many", "Many"), ("some", "Some"), ("wrong", "Wrong")):
        yield NetworkCard(name=name, variants="which", factory=f"{__name__}:{factory}", summary="a test")
    yield NetworkCard(name="far", variants="which", factory="no_such_module_anywhere:Far", summary="a test")

class Many:
    def __init__(self, *, which: str, number: int = 1):
        self.made = (which, number)

class Some:
    def __init__(self, *, which: str = "first"):
        self.made = which

class Wrong:
    def __init__(self, *, what: str = ""):
        pass
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin of networks whose names go on behind a colon."""
    file = tmp_path / "plugin_of_many.py"
    file.write_text(MANY)
    monkeypatch.delitem(sys.modules, file.stem, raising=False)
    return file


@pytest.fixture
def many(file: Path) -> Registry:
    """The registry with these networks."""
    return Registry(files=[file])


def test_what_follows_a_colon_in_a_name_fills_an_option(many: Registry) -> None:
    card = many.card(NetworkCard, "many:a:b")
    assert (card.name, card.label) == ("many:a:b", "many:a:b")
    assert list(card.options()) == ["number"]
    assert card.build().made == ("a:b", 1)
    assert card.build({"number": 2}).made == ("a:b", 2)
    with pytest.raises(BadOption, match="network 'many:a:b' has no option 'which'; there are number"):
        card.build({"which": "c"})
    assert many.card(NetworkCard, "many").label == "many:NAME"


def test_no_variant_is_imported_before_it_is_built(many: Registry) -> None:
    card = many.card(NetworkCard, "far:away")
    with pytest.raises(BadPlugin, match="network 'far:away' cannot be loaded from no_such_module_anywhere:Far"):
        card.build()


def test_without_a_colon_the_option_is_one_like_others(many: Registry) -> None:
    assert many.card(NetworkCard, "many").build({"which": "c"}).made == ("c", 1)
    assert many.card(NetworkCard, "some").build().made == "first"
    assert many.card(NetworkCard, "some:second").build().made == "second"
    with pytest.raises(BadOption, match="network 'many' stands for many: say which, as many:NAME"):
        many.card(NetworkCard, "many").build({"number": 2})


def test_variants_of_an_option_that_is_not_there_are_the_fault_of_the_plugin(many: Registry) -> None:
    with pytest.raises(BadPlugin, match=r"network 'wrong:x': .*:Wrong has no option 'which' for variants"):
        many.card(NetworkCard, "wrong:x").build()


@pytest.mark.parametrize(
    ("name", "near"),
    [("mayn:a", "many:a"), ("many:", "many:NAME"), ("manny", "many"), ("nafnet:a", "nafnet"), ("nafnet:", "nafnet")],
)
def test_an_unknown_name_with_a_colon_suggests_a_near_one(name: str, near: str, many: Registry) -> None:
    with pytest.raises(UnknownName, match=f"^no network is named '{name}'; did you mean '{near}'\\?"):
        many.card(NetworkCard, name)


def test_lists_show_where_the_name_of_a_variant_goes(restore, file: Path):
    plain = restore("--plugin", file, "networks")
    assert "\nmany:NAME\ta test\t" in plain.stdout, plain.stderr
    cards = {card["name"]: card for card in json.loads(restore("--plugin", file, "networks", "--json").stdout)}
    assert cards["many:NAME"]["variants"] == "which"
    assert cards["nafnet"]["variants"] == ""
