"""`restore weights`: what came with the plugins, and what stands in a folder of them."""

from __future__ import annotations

import click
import msgspec

from restoration.cli.commands.conversion import convert, layouts
from restoration.cli.commands.lists import nothing
from restoration.console import debug_option, echo_json, json_option, print_table, say
from restoration.errors import RestorationError, harmless
from restoration.registry import registry
from restoration.registry.cards import WeightsCard
from restoration.weights import Folder, bundled, resolve


@click.group()
def weights() -> None:
    """List weights, or show a set of them."""


weights.add_command(convert)
weights.add_command(layouts)


@weights.command("list")
@json_option
@debug_option
def list_weights(as_json: bool) -> None:
    """List the weights that came with the plugins."""
    rows = []
    for card in registry().cards(WeightsCard):
        try:
            size: float | None = round(bundled(card).size() / 1e6, 2)
        except (RestorationError, OSError):
            size = None
        rows.append({"name": card.name, "method": card.method, "task": card.task, "mb": size, "license": card.license})
    if as_json:
        echo_json(rows)
    else:
        print_table(("name", "method", "task", "MB", "license"), [[str(v) for v in row.values()] for row in rows])
    if not rows:
        say(nothing(WeightsCard.kind))


@weights.command()
@click.argument("which")
@json_option
@click.option("--offline", is_flag=True, help="Do not use the network; weights of the Hub must be in its cache.")
@debug_option
def show(which: str, as_json: bool, offline: bool) -> None:
    """Show the model card and the recipe of a set: a name, a folder, a file, or owner/name[@revision] on the Hub."""
    folder = _folder(which, offline)
    recipe = folder.recipe()
    if as_json:
        facts = {"origin": folder.origin, "path": str(folder.path), "mb": round(folder.size() / 1e6, 2)}
        echo_json({**facts, "recipe": msgspec.to_builtins(recipe)})
        return
    click.echo(harmless(folder.card()) or f"{folder.origin} has no card")
    click.echo(harmless(recipe.to_json()), nl=False)


def _folder(which: str, offline: bool) -> Folder:
    folder = resolve(which, "", "", offline=offline)
    if folder is None:
        raise registry().unknown(WeightsCard, which)
    return folder
