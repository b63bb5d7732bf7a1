"""`restore plugins`: what is installed, what is broken and why, and the beginning of a new one."""

from __future__ import annotations

import inspect
import os
import shlex
from pathlib import Path
from typing import Any

import click

from restoration.cli.commands.degrade import degrade
from restoration.cli.commands.lists import nothing
from restoration.cli.commands.run import run
from restoration.cli.lazy import command_of
from restoration.cli.new_plugin import KINDS, write_plugin
from restoration.console import debug_option, echo_json, json_option, print_table, say
from restoration.errors import BadPlugin, did_you_mean, plain
from restoration.registry import Plugin, registry
from restoration.registry.cards import (
    Card,
    CommandCard,
    NetworkCard,
    ObjectiveCard,
    RestorerCard,
    SamplerCard,
    ScheduleCard,
    TaskCard,
    WeightsCard,
)
from restoration.registry.guard import guarded
from restoration.registry.options import converted

PARTS: dict[str, type[Card]] = {
    "network": NetworkCard,
    "schedule": ScheduleCard,
    "objective": ObjectiveCard,
    "sampler": SamplerCard,
}


@click.group(invoke_without_command=True)
@json_option
@click.option("--check", is_flag=True, help="Also import everything that the plugins name, and check it.")
@debug_option
@click.pass_context
def plugins(ctx: click.Context, as_json: bool, check: bool) -> int:
    """List plugins with what they bring; those that cannot be loaded with the reason.

    With --check the exit code is 1 if anything is wrong with one.
    """
    if ctx.invoked_subcommand:
        return 0
    found = sorted(registry().plugins[1:], key=lambda plugin: plugin.name)
    rows = [_row(plugin, check) for plugin in (registry().plugins[0], *found)]
    if as_json:
        echo_json(rows)
    else:
        print_table(
            ("plugin", "version", "state", "brings"),
            [[str(row[key]) for key in ("name", "version", "state")] + [", ".join(row["brings"])] for row in rows],
        )
    if len(rows) == 1:
        say(nothing("plugin"))
    return 1 if check and any(row["state"] != "ok" for row in rows) else 0


@plugins.command()
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(list(KINDS)),
    default="method",
    show_default=True,
    help="What the plugin brings.",
)
@click.option(
    "--in",
    "where",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder to write the plugin to.  [default: the current one]",
)
@debug_option
def new(name: str, kind: str, where: Path) -> None:
    """Write a working plugin, restoration-NAME, with its tests."""
    files = write_plugin(name, where, kind)
    click.echo(str(files[0].parent))
    folder = os.path.join(os.curdir, files[0].parent)  # without a dot pip takes a name for one of its index
    say(f"next: pip install {shlex.quote(folder)}, then `restore {KINDS[kind].listed}` lists {name}")


def _row(plugin: Plugin, check: bool) -> dict[str, Any]:
    problem = plugin.error or (_first_problem(plugin) if check else "")
    remarks = plugin.remarks if check and not problem else []
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "state": f"broken: {problem}" if problem else "; ".join(remarks) or "ok",
        "brings": [f"{card.kind} {card.label}" for card in plugin.cards],
    }


def _first_problem(plugin: Plugin) -> str:
    """Import all that a plugin names, find its weights, try its defaults; return the first thing that is wrong."""
    for card in plugin.cards:
        try:
            with guarded():
                _try(card)
        except BadPlugin as error:
            return plain(str(error))
    return ""


def _try(card: Card) -> None:
    """Raise an exception if something that a card names is not there, or is something else."""
    from restoration.weights import bundled

    if isinstance(card, WeightsCard):
        bundled(card).recipe()
    elif isinstance(card, CommandCard):
        command_of(card)
    else:
        _try_options(card)
    if isinstance(card, RestorerCard):
        _try_defaults(card)
    if isinstance(card, RestorerCard | TaskCard):
        for option in card.asks:
            if option.name in {parameter.name for parameter in [*run.params, *degrade.params]}:
                raise BadPlugin(f"{card.kind} {card.name!r} asks for --{option.name}, which `restore` has itself")


def _try_options(card: Card) -> None:
    """Raise an exception if the default of an option is not of its type, or the type is not there at run time."""
    for name, option in card.options().items():
        if name not in PARTS and option.default is not option.empty:
            converted(card.load(), {name: option.default}, f"{card.kind} {card.name!r}")


def _try_defaults(card: RestorerCard) -> None:
    """Raise an exception if the defaults of a method are not parts with options that they have, or lack one."""
    import msgspec

    from restoration.recipe import Part

    parts = msgspec.convert(dict(card.defaults), dict[str, Part])
    what = f"{card.kind} {card.name!r}: its defaults"
    for name, part in parts.items():
        if name not in (*PARTS, "method"):
            raise BadPlugin(f"{what} name {name!r}; the parts of a recipe are {', '.join(PARTS)} and method")
        found = card if name == "method" else registry().card(PARTS[name], part.name)
        for key in part.options.keys() - found.options().keys():
            raise BadPlugin(
                f"{what} set {name}.{key}; {part.name!r} has no such option{did_you_mean(key, found.options())}"
            )
        converted(found.load(), part.options, f"{what} set {name}.*")
    lacking = [name for name in PARTS if name in card.options() and name not in parts]
    if lacking and card.options()[lacking[0]].default is inspect.Parameter.empty:
        raise BadPlugin(f"{what} name no {lacking[0]}, which its factory asks for")
