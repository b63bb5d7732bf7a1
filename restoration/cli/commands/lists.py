"""`restore methods`, `tasks`, `networks`...: what there is, read from cards alone."""

from __future__ import annotations

from dataclasses import asdict

import click

from restoration.console import debug_option, echo_json, json_option, print_table, say
from restoration.registry import advice, registry
from restoration.registry.cards import (
    Card,
    NetworkCard,
    ObjectiveCard,
    RestorerCard,
    SamplerCard,
    ScheduleCard,
    TaskCard,
    WeightsCard,
)


def _command(name: str, kind: type[Card], help: str) -> click.Command:
    @click.command(name, help=help)
    @json_option
    @debug_option
    def show(as_json: bool) -> None:
        cards = registry().cards(kind)
        if as_json:
            echo_json([{**asdict(card), "name": card.title, **_weights_of(card)} for card in cards])
        else:
            print_table((kind.kind, "summary", *_more(kind)), [(c.title, c.summary, *_more(kind, c)) for c in cards])
        if not cards and (install := advice()):
            say(f"no {kind.kind} is installed: {install}")

    return show


def _weights_of(card: Card) -> dict[str, list[str]]:
    """The weights that came with plugins for a method or task."""
    cards = registry().cards(WeightsCard)
    if isinstance(card, RestorerCard):
        return {"weights": [weights.name for weights in cards if weights.method == card.name]}
    if isinstance(card, TaskCard):
        return {"weights": [weights.name for weights in cards if weights.task == card.name]}
    return {}


def _more(kind: type[Card], card: Card | None = None) -> tuple[str, ...]:
    """A further column: its title, or what stands in it for a card."""
    if kind is TaskCard:
        if not isinstance(card, TaskCard):
            return ("options", "weights")
        asked = " ".join(f"--{option.name.replace('_', '-')}" for option in card.asks)
        return (asked, ", ".join(_weights_of(card)["weights"]) or "none yet")
    if kind is RestorerCard:
        if card is None:
            return ("weights",)
        none = "none needed" if isinstance(card, RestorerCard) and not card.needs_weights else "none yet"
        return (", ".join(_weights_of(card)["weights"]) or none,)
    return ("source",) if card is None else (card.source,)


methods = _command("methods", RestorerCard, "List the methods and the weights that came with them.")
tasks = _command("tasks", TaskCard, "List the tasks: ways pictures are damaged, and what can be repaired.")
networks = _command("networks", NetworkCard, "List the networks, for any method.")
schedules = _command("schedules", ScheduleCard, "List the noise schedules: the paths from clean to degraded.")
objectives = _command("objectives", ObjectiveCard, "List the training objectives.")
samplers = _command("samplers", SamplerCard, "List the samplers, for any method that walks a path.")
