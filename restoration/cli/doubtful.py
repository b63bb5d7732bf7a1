"""Results that are not plausible: they are named, and kept under a name of their own unless they are accepted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from restoration.errors import RestorationError
from restoration.picture import with_channels
from restoration.plausibility import find_faults
from restoration.registry import registry
from restoration.registry.cards import TaskCard

if TYPE_CHECKING:
    from pathlib import Path

    from restoration.interfaces import Observation, Result


class Doubtful(RestorationError):
    """A result is not plausible."""


def examined(observation: Observation, result: Result) -> Result:
    """Return a result with the doubts that there are about it, by the limits of its task."""
    picture = result.picture
    before = with_channels(observation.y, picture.pixels.shape[1])
    after = picture.pixels
    if picture.alpha is not None and before.shape == after.shape:
        after = after.where(picture.alpha > 0, before)  # what cannot be seen is as it was
    limits = registry().card(TaskCard, result.task).limits
    return replace(result, doubts=tuple(find_faults(before, after, limits)))


def refusal(result: Result, kept: Path | None) -> Doubtful:
    """Return the error that says what is not plausible about a result, and where it is kept, if it is."""
    where = "nothing was written" if kept is None else f"it is kept as {kept}"
    return Doubtful(f"the result is not plausible: {'; '.join(result.doubts)}. {where}; --accept takes it")
