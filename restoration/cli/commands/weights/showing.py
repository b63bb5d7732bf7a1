"""`restore weights show`: the card and the recipe of a set; of one on the Hub without its tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from restoration.cli.commands.weights.found import card_names, folder_of, is_on_hub
from restoration.cli.options import names as names_of
from restoration.console import debug_option, echo_json, json_option
from restoration.errors import harmless
from restoration.hub import look
from restoration.hub.header import license_of
from restoration.machine import offline_option
from restoration.recipe import Recipe
from restoration.registry.cards import WeightsCard
from restoration.weights import Folder


@click.command()
@click.argument("which", shell_complete=names_of(WeightsCard))
@json_option
@offline_option()
@debug_option
def show(which: str, as_json: bool, offline: bool) -> None:
    """Show the model card and the recipe of a set: a name, a folder, a file, or owner/name[@revision] on the Hub.

    Of weights on the Hub the card and the recipe are fetched, not the tensors.
    """
    if is_on_hub(which):
        card, recipe, facts = _remote(which, offline)
    else:
        folder = folder_of(which, offline=offline)
        card, recipe = folder.card(), folder.recipe()
        facts = _facts(folder.origin, str(folder.path), folder.size(), folder.stated_license())
    if as_json:
        echo_json({**facts, "recipe": msgspec.to_builtins(recipe)})
        return
    click.echo(harmless(card) or f"{facts['origin']} has no card")
    click.echo(harmless(recipe.to_json()), nl=False)


def _remote(which: str, offline: bool) -> tuple[str, Recipe, dict[str, Any]]:
    """Return the card and the recipe of a repository, and facts about it."""
    found = look(which, offline=offline, known=card_names())
    origin = f"{which.partition('@')[0]}@{found.commit}"
    recipe = Folder(path=found.config.parent, origin=origin).recipe()
    path = str(found.config.parent) if found.fetched else None
    return found.card, recipe, _facts(origin, path, found.size, license_of(found.card))


def _facts(origin: str, path: str | Path | None, size: int | None, stated: str) -> dict[str, Any]:
    megabytes = None if size is None else round(size / 1e6, 2)
    return {"origin": origin, "path": path, "mb": megabytes, "license": stated}
