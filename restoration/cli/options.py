"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import click

from restoration.cli.headings import under
from restoration.console import COUNT_OF_THREADS, keywords
from restoration.machine import device_option, offline_option, precision_option
from restoration.permissions import license_option, locked_option
from restoration.registry.cards import Card, NetworkCard, RestorerCard, SamplerCard, TaskCard, WeightsCard

Complete = Callable[[click.Context, click.Parameter, str], list[str]]
"""Completes the beginning of a word in the shell."""
SEED = click.IntRange(0, 2**62)
"""The seeds that a random generator takes, with room for one for each of many pictures."""


def names(kind: type[Card]) -> Complete:
    """Return a function that completes the names of cards of a kind in the shell."""

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


def combine(options: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Combine options to one decorator; they are shown in their order."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


method, way, machine = under("Method"), under("How pictures are restored"), under("Machine")
method_and_task = combine(
    [
        method(
            "-m",
            "--method",
            shell_complete=names(RestorerCard),
            metavar="NAME",
            help="Method to use; `restore methods` lists them.  [default: that of --weights]",
        ),
        method(
            "-t",
            "--task",
            shell_complete=names(TaskCard),
            metavar="NAME",
            help="Damage to repair; `restore tasks` lists what there is.  [default: that of --weights]",
        ),
    ]
)
how_to_restore = combine(
    [
        method(
            "--weights",
            metavar="WHICH",
            shell_complete=names(WeightsCard),
            help="Weights to use: a folder, a name from `restore weights list`, owner/name[@revision] on the "
            "Hugging Face Hub, or a file of a published network (.pth, .safetensors...).  [default: those that came "
            "with the method]",
        ),
        license_option(method),
        locked_option(method),
        way(
            "--realism",
            type=click.FloatRange(0, 1),
            metavar="X",
            help="How real a method that draws makes its results: 0 is the mean of all likely pictures, which has the "
            "least error and is blurred, 1 is one of them, between mixes the two.  [default: that of the weights]",
        ),
        way(
            "--steps",
            type=click.IntRange(1),
            metavar="N",
            help="Number of steps, each an evaluation of the network.  [default: that of the method]",
        ),
        way(
            "--sampler",
            metavar="NAME",
            shell_complete=names(SamplerCard),
            help="Sampler of a diffusion method; `restore samplers` lists them.  [default: that of the method]",
        ),
        way(
            "--network",
            metavar="NAME",
            shell_complete=names(NetworkCard),
            help="Network of a method without weights; `restore networks` lists them.  [default: that of the method]",
        ),
        way(
            "--set",
            "options",
            multiple=True,
            callback=keywords,
            metavar="KEY=VALUE",
            help="Set another option of the method, or of one of its parts, as in network.width=32 or task.clipped=1. "
            "May be repeated.",
        ),
        way(
            "--ensemble",
            is_flag=True,
            help="Restore each picture mirrored and turned too, as far as its damage allows, and average the results: "
            "8 times the work, 2 for rain and haze.",
        ),
        way(
            "--consistent",
            is_flag=True,
            help="Make each result agree with what was measured: one that was enlarged gives its small picture again "
            "when it is made smaller.",
        ),
        way(
            "--time-limit",
            type=Duration(),
            help="Longest time for each picture, such as 90s or 2m; then the last estimate is the result.",
        ),
        way("--seed", type=SEED, metavar="N", default=0, show_default=True, help="Random seed of the method."),
        device_option(machine),
        precision_option(machine),
        machine(
            "--tile",
            metavar="N",
            default="auto",
            show_default=True,
            help="Side of the windows that a large picture is processed in, in pixels; 0 for the whole picture at "
            "once, auto for what fits into memory.",
        ),
        machine("--threads", type=COUNT_OF_THREADS, metavar="N", help="Number of CPU threads.  [default: all]"),
        offline_option(machine),
    ]
)
