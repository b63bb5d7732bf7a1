"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

import click

from restoration.console import threads_option
from restoration.registry.cards import Card, NetworkCard, RestorerCard, SamplerCard, TaskCard, WeightsCard

Complete = Callable[[click.Context, click.Parameter, str], list[str]]
"""Completes the beginning of a word in the shell."""
SEED = click.IntRange(0, 2**62)
"""What a generator takes, with room for the numbers of many pictures."""


def names(kind: type[Card]) -> Complete:
    """Complete a name in the shell, from cards alone."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        from restoration.registry import registry

        known = [card.name + ":" * bool(card.variants) for card in registry().cards(kind)]
        return [name for name in known if name.startswith(incomplete)]

    return complete


def several(complete: Complete) -> Complete:
    """Complete the last of several names with commas between them."""

    def complete_last(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [before + comma + name for name in complete(ctx, parameter, last)]

    return complete_last


def keywords(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """Read KEY=VALUE, the value as JSON where it is JSON and as text where not."""
    result: dict[str, Any] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{text!r} is not KEY=VALUE")
        try:
            result[key] = json.loads(value)
        except ValueError:
            result[key] = value
    return result


class Duration(click.ParamType):  # type: ignore[type-arg]  # it is generic in new releases of click
    """A time in seconds, or with a unit: 90, 90s, 1.5m, 1h."""

    name = "TIME"
    units: ClassVar[dict[str, int]] = {"s": 1, "m": 60, "h": 3600}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return seconds."""
        if not isinstance(value, str):
            return value
        unit = self.units.get(value[-1:])
        try:
            seconds = float(value if unit is None else value[:-1]) * (unit or 1)
        except ValueError:
            self.fail(f"{value!r} is not a time such as 90s, 2m or 1h", param, ctx)
        if not 0 < seconds < float("inf"):
            self.fail(f"{value!r} is not a time above 0", param, ctx)
        return seconds


def grouped(options: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Make one decorator of several options, shown in their order."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


method_and_task = grouped(
    [
        click.option(
            "-m", "--method", required=True, shell_complete=names(RestorerCard), help="How, see `restore methods`."
        ),
        click.option("-t", "--task", required=True, shell_complete=names(TaskCard), help="What, see `restore tasks`."),
    ]
)
how_to_restore = grouped(
    [
        click.option(
            "--weights",
            metavar="WHICH",
            shell_complete=names(WeightsCard),
            help="A folder, a name (`restore weights list`) or owner/name[@revision] on the Hub.  [default: bundled]",
        ),
        click.option("--steps", type=click.IntRange(1), help="Evaluations of the network.  [default: the method's]"),
        click.option(
            "--sampler", shell_complete=names(SamplerCard), help="See `restore samplers`.  [default: the method's]"
        ),
        click.option(
            "--network",
            shell_complete=names(NetworkCard),
            help="For methods without weights, see `restore networks`.  [default: the method's]",
        ),
        click.option(
            "--set",
            "options",
            multiple=True,
            callback=keywords,
            metavar="KEY=VALUE",
            help="Another option of the method, task.KEY=VALUE of the task, network.KEY=VALUE; may be repeated.",
        ),
        click.option("--time-limit", type=Duration(), help="For each picture, as 90s or 2m; the last guess is taken."),
        click.option("--seed", type=SEED, default=0, show_default=True, help="Of the noise that a method draws."),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps."),
        click.option("--precision", default="auto", show_default=True, help="auto, fp32, bf16, fp16."),
        click.option(
            "--tile", default="auto", show_default=True, help="A window's side, 0 for none, auto by free memory."
        ),
        threads_option,
        click.option("--offline", is_flag=True, help="Never ask the network; the Hub's cache is used."),
    ]
)
