"""Non-blind methods in a score: they are given the operator that was drawn with the damage, which users do not have."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from restoration.errors import BadOption
from restoration.picture import Picture
from restoration.registry import registry
from restoration.registry.cards import RestorerCard, TaskCard
from restoration.tasks import describe, make_task

if TYPE_CHECKING:
    from restoration.interfaces import Observation
    from restoration.runtime import Restoration

log = logging.getLogger("restoration")


def non_blind(
    methods: Mapping[str, Restoration], task: str, options: Mapping[str, Any], observation: Observation
) -> set[str]:
    """Return the labels of the methods that use an operator which does not follow from the degraded picture alone.

    Raises `BadOption` if one is to make its results agree with it, since no user could.

    * `methods`: the methods by their labels.
    * `task`, `options`: what has degraded a clean picture.
    * `observation`: the degraded picture, with that operator.
    """
    if observation.operator is None or _is_known(task, options, observation):
        return set()
    telling = [f"--{one.name}" for one in registry().card(TaskCard, task).asks if one.tells == "operator"]
    for label, one in methods.items():
        if one.consistent:
            raise BadOption(
                f"{label} cannot be consistent with what task {task!r} draws, which is not known of a given picture"
                + (f"; name it with {' or '.join(telling)}, or leave --consistent out" if telling else "")
            )
    cards = {label: registry().card(RestorerCard, one.method) for label, one in methods.items()}
    return {label for label, card in cards.items() if card.uses is None or "operator" in card.uses}


def warn_of_non_blind(labels: set[str], task: str) -> None:
    """Say that scores of methods are those of a known operator."""
    words = "%s: given the operator that task %s drew, which a user has to know"
    for label in sorted(labels):
        log.warning(words, label, task)


def _is_known(task: str, options: Mapping[str, Any], observation: Observation) -> bool:
    """Return whether the operator follows from a degraded picture and what is asked for with one, as a mask is."""
    seen = observation.y if observation.measured is None else observation.measured
    try:
        return describe(make_task(task, options), Picture(pixels=seen.clamp(0, 1))).operator is not None
    except BadOption:
        return True
