"""`restore plugins`: what is installed, what is broken and why, and the beginning of a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from restoration.console import debug_option, echo_json, json_option, print_table, say
from restoration.errors import RestorationError
from restoration.registry import Plugin, registry
from restoration.registry.cards import WeightsCard


@click.group(invoke_without_command=True)
@json_option
@click.option("--check", is_flag=True, help="Also import everything that the plugins name.")
@debug_option
@click.pass_context
def plugins(ctx: click.Context, as_json: bool, check: bool) -> int:
    """List plugins with what they bring; those that cannot be loaded with the reason."""
    if ctx.invoked_subcommand:
        return 0
    rows = [_row(plugin, check) for plugin in registry().plugins]
    if as_json:
        echo_json(rows)
    else:
        print_table(
            ("plugin", "version", "state", "brings"),
            [[str(row[key]) for key in ("name", "version", "state")] + [", ".join(row["brings"])] for row in rows],
        )
    return 1 if check and any(row["state"] != "ok" for row in rows) else 0


@plugins.command()
@click.argument("name")
@click.option(
    "--in", "where", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Where.  [default: here]"
)
@debug_option
def new(name: str, where: Path) -> None:
    """Write a working plugin, restoration-NAME, with its tests."""
    from restoration.cli.new_plugin import write_plugin

    files = write_plugin(name, where)
    click.echo(str(files[0].parent))
    say(f"next: pip install ./{files[0].parent.name}, then `restore methods` lists {name}")


def _row(plugin: Plugin, check: bool) -> dict[str, Any]:
    problem = plugin.error or (_first_problem(plugin) if check else "")
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "state": f"broken: {problem}" if problem else "ok",
        "brings": [f"{card.kind} {card.title}" for card in plugin.cards],
    }


def _first_problem(plugin: Plugin) -> str:
    """Import all that a plugin names, and find its weights; return the first thing that is wrong."""
    from restoration.weights import bundled

    for card in plugin.cards:
        try:
            if isinstance(card, WeightsCard):
                bundled(card).recipe()
            else:
                card.options()
        except RestorationError as error:
            return str(error)
    return ""
