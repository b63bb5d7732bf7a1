"""`restore weights list`: what came with the plugins."""

from __future__ import annotations

import click

from restoration.cli.commands.lists import nothing
from restoration.console import debug_option, echo_json, json_option, print_table, say
from restoration.errors import RestorationError
from restoration.registry import registry
from restoration.registry.cards import WeightsCard
from restoration.weights import bundled


@click.command("list")
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
