"""The page of all sets of weights, docs/zoo.md, and the headers of their cards: both follow from what is in the sets.

    python benchmarks/zoo.py            # writes them
    python benchmarks/zoo.py --check    # says what is out of date

Scores are those of the tables of the cards, sizes and licences those of the files; work is counted in the network, not
timed. What stands in the page outside of the two marks is written by hand, and stays.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
from msgspec.structs import replace
from safetensors import safe_open
from torch.utils.flop_counter import FlopCounterMode

from restoration.engine.adapter import Adapted
from restoration.hub.header import completed, scores
from restoration.recipe import Part, Recipe, build_parts
from restoration.registry import registry
from restoration.registry.cards import NetworkCard, RestorerCard, WeightsCard
from restoration.training.modelcard import about
from restoration.weights import CONFIG, Folder

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "zoo.md"
MARKS = ("<!-- from here on: python benchmarks/zoo.py -->", "<!-- until here -->")
SIDE = 128
"""Pixels of the side of the picture in which the work of a network is counted."""


def sets() -> list[tuple[WeightsCard, Folder]]:
    """Return the sets that came with the plugins of this repository, by task, each once."""
    found = [(card, here(card)) for card in registry().cards(WeightsCard)]
    ours = [(card, folder) for card, folder in found if folder is not None]
    return sorted({folder.path: (card, folder) for card, folder in reversed(ours)}.values(), key=_place)


def here(card: WeightsCard) -> Folder | None:
    """Return the folder of a card in this repository, wherever its plugin is installed; None if it is not of here."""
    package, _, inside = card.factory.partition(":")
    path = next(iter(ROOT.glob(f"plugins/*/{package}/{inside}/{CONFIG}")), None)
    return None if path is None else Folder(path=path.parent, origin=card.name)


def _place(one: tuple[WeightsCard, Folder]) -> tuple[str, str]:
    """Return by what sets are sorted."""
    return one[0].task, one[0].name


def others(card: WeightsCard, folder: Folder) -> list[str]:
    """Return the other names of a set, which serves several methods."""
    same = [one for one in registry().cards(WeightsCard) if (found := here(one)) and found.path == folder.path]
    return [one.name for one in same if one.name != card.name]


def parameters(folder: Folder) -> int:
    """Return how many numbers a set has."""
    with safe_open(folder.path / folder.model, "pt") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


def evaluations(recipe: Recipe) -> int:
    """Return how often the network is evaluated for a picture, if nobody says otherwise."""
    option = registry().card(RestorerCard, recipe.method.name).options().get("steps")
    return int(recipe.method.options.get("steps", option.default if option else 1))


def work(recipe: Recipe) -> float:
    """Return the thousands of multiplications and additions for a pixel of the result, of one evaluation."""
    same: dict[str, Any] = {
        "method": Part("regression"),
        "task": Part("sr"),
        "sampler": None,
        "requires": [],
        "training": {},
    }
    return _work(replace(recipe, **same).to_json())  # many sets have the same network, and nothing else counts


@cache
def _work(text: str) -> float:
    recipe = Recipe.from_json(text)
    network = build_parts(recipe).network
    assert isinstance(network, Adapted) and recipe.network is not None
    large = torch.zeros(1, len(recipe.channels), SIDE, SIDE)
    enlarges = registry().card(NetworkCard, recipe.network.name).enlarges
    reduced = SIDE // max(enlarges, default=1)
    small = torch.zeros(1, len(recipe.channels), reduced, reduced)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network.eval()(large, small, torch.ones(1))
    return float(counter.get_total_flops() / 2 / SIDE**2 / 1e3)


def provenance(text: str) -> Iterator[str]:
    """Yield what the card tells of how the weights were made: data, steps, hardware."""
    for name, words in re.findall(r"^\| (data|steps[^|]*|hardware[^|]*) \| (.*) \|$", text, re.MULTILINE):
        yield f"* {name}: {words}"


def reached(text: str) -> Iterator[str]:
    """Yield the table of what a card says its weights reach, where it has one of its own."""
    part = re.search(r"^## What they reach\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    table = re.search(r"(?:^\|.*\n)+", part[1], re.MULTILINE) if part else None
    yield f"{table[0]}" if table else "Its card has its figures.\n"


def of(card: WeightsCard) -> tuple[str, str]:
    """Return the method and the task of a set."""
    return card.method, card.task


def command(card: WeightsCard, recipe: Recipe) -> str:
    """Return the command that uses a set."""
    named = "" if card.default else f" --weights {card.name}"
    asked = "" if card.realism is None or card.realism > 0 else f" --realism {recipe.realism}"
    if card.realism is None and any(one.realism for one, _ in sets() if (one.method, one.task) == of(card)):
        asked = " --realism 0"  # or those that draw would be used
    return f"restore run -m {card.method} -t {card.task}{named}{asked} picture.png"


def overview() -> Iterator[str]:
    """Yield the table of all sets."""
    yield "| weights | for | network | parameters | MB | evaluations | thousand operations a pixel | licence |"
    yield "|---|---|---|---|---|---|---|---|"
    for card, folder in sets():
        recipe, times = folder.recipe(), evaluations(folder.recipe())
        assert recipe.network is not None
        each = work(recipe)
        link = f"[`{card.name}`](#{re.sub(r'[^a-z0-9-]', '', card.name)})"
        count, size = f"{parameters(folder) / 1e6:.2f} M", f"{folder.size() / 1e6:.2f}"
        reduced = f", at {recipe.working_size}x{recipe.working_size}" if recipe.working_size else ""
        cost = f"{each:.1f}" if times == 1 else f"{times} x {each:.1f}"
        cells = (link, card.task, f"`{recipe.network.name}`", count, size, str(times), cost + reduced)
        yield f"| {' | '.join(cells)} | {folder.stated_license() or 'not stated'} |"


def section(card: WeightsCard, folder: Folder) -> Iterator[str]:
    """Yield what there is to tell of one set."""
    text, recipe = folder.card(), folder.recipe()
    yield f"### {card.name}\n"
    also = f" The same as {', '.join(f'`{name}`' for name in others(card, folder))}." if others(card, folder) else ""
    yield f"{card.summary[:1].upper()}{card.summary[1:]}.{also}\n"
    yield f"`{command(card, recipe)}`\n"
    rows = scores(text)
    if rows:
        yield "| pictures | evaluations | PSNR before | after | protocol |\n|---|---|---|---|---|"
        for row in rows:
            numbers = f"{row.evaluations} | {row.input:.2f} | {row.restored:.2f}"
            yield f"| {row.pictures} | {numbers} | {row.protocol} |"
        yield ""
    else:
        yield from reached(text)
    yield from provenance(text)
    if "start" in recipe.training:
        yield f"* initial weights: {recipe.training['start']}"
    if recipe.mean:
        yield f"* mean of what they draw: {recipe.mean}{', where their path leads' if recipe.from_mean else ''}"
    yield ""


def page() -> str:
    """Return the page as it should be: what is written by hand, and between the marks what follows from the sets."""
    before, rest = PAGE.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    parts = [*overview(), "", *(line for one in sets() for line in section(*one))]
    body = "\n".join(parts)
    return f"{before}{MARKS[0]}\n\n{body}{MARKS[1]}{after}"


def card_of(card: WeightsCard, folder: Folder) -> str:
    """Return the model card of a set with a complete header; its results are those of its table."""
    text = folder.card()
    told = about(folder.recipe(), folder.stated_license() or card.license, card.name)
    return completed(re.sub(r"^model-index:\n(?:(?:- |  ).*\n)*", "", text, flags=re.MULTILINE), told)


def files() -> dict[Path, str]:
    """Return what the files should hold."""
    return {**{folder.path / "README.md": card_of(card, folder) for card, folder in sets()}, PAGE: page()}


def main() -> int:
    """Write the files, or say which are out of date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say what is out of date")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    stale = {path: text for path, text in files().items() if path.read_text(encoding="utf-8") != text}
    for path, text in stale.items():
        print(path.relative_to(ROOT))
        if not check:
            path.write_text(text, encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
