"""`restore methods`, `tasks`, `networks`...: what there is, read from cards alone."""

from __future__ import annotations

from dataclasses import asdict

import click

from restoration.console import debug_option, echo_json, json_option, print_table, say
from restoration.registry import registry
from restoration.registry.cards import (
    Card,
    MetricCard,
    NetworkCard,
    ObjectiveCard,
    RestorerCard,
    SamplerCard,
    ScheduleCard,
    TaskCard,
    WeightsCard,
)

MORE: dict[type[Card], tuple[str, ...]] = {
    TaskCard: ("options", "weights"),
    RestorerCard: ("weights",),
    MetricCard: ("unit", "better"),
}
"""The further columns of a list; of all others it is the source."""


def _command(name: str, kind: type[Card], help: str) -> click.Command:
    @click.command(name, help=help)
    @json_option
    @debug_option
    def show(as_json: bool) -> None:
        cards = registry().cards(kind)
        if as_json:
            echo_json([{**asdict(card), "name": card.label, **_weights_of(card)} for card in cards])
        else:
            columns = (kind.kind, "summary", *MORE.get(kind, ("source",)))
            print_table(columns, [(card.label, card.summary, *_more(card)) for card in cards])
        if not cards:
            say(nothing(kind.kind))

    return show


def nothing(what: str) -> str:
    """Return what to say where a list is empty: that none is installed, and what would be to install."""
    lacking = registry().lacking()
    return f"no {what} is installed{lacking and f': {lacking}'}"


def _weights_of(card: Card) -> dict[str, list[str]]:
    """The weights that came with plugins for a method or task."""
    cards = registry().cards(WeightsCard)
    if isinstance(card, RestorerCard):
        return {"weights": [one.name for one in cards if one.method == card.name or one.name == card.prior]}
    if isinstance(card, TaskCard):
        return {"weights": [weights.name for weights in cards if weights.task == card.name]}
    return {}


def _more(card: Card) -> tuple[str, ...]:
    """What stands in the further columns of a card, as `MORE` names them."""
    if isinstance(card, TaskCard):
        asked = " ".join(f"--{option.name.replace('_', '-')}" for option in card.asks)
        return (asked, ", ".join(_weights_of(card)["weights"]) or "none yet")
    if isinstance(card, RestorerCard):
        none = "none yet" if card.needs_weights else "none needed"
        return (", ".join(_weights_of(card)["weights"]) or none,)
    if isinstance(card, MetricCard):
        return (card.unit, "less" if card.less_is_better else "more")
    return (card.source,)


methods = _command("methods", RestorerCard, "List the methods and the weights that came with them.")
tasks = _command("tasks", TaskCard, "List the tasks: ways pictures are damaged, and what can be repaired.")
networks = _command("networks", NetworkCard, "List the networks, for any method.")
schedules = _command("schedules", ScheduleCard, "List the noise schedules: the paths from clean to degraded.")
objectives = _command("objectives", ObjectiveCard, "List the training objectives.")
metrics = _command("metrics", MetricCard, "List the metrics that `restore score` can take.")
samplers = _command("samplers", SamplerCard, "List the samplers, for any method that samples along a schedule.")
