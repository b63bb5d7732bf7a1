"""The `config.json` of a set of weights, as data: a recipe of names and JSON values, checked when it is read.

What is built from it, with the cards of the plugins that are installed, is in `restoration.recipe`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from restoration.errors import BadWeights

LARGEST = 10_000_000
"""The largest whole number that an option of a part can be: with larger ones a recipe could take the whole machine."""
MOST_TENSORS = 10_000
"""The most tensors that a network can have; the largest of all have a few thousand."""
TRAINED = ("network", "schedule", "objective", "channels", "working_size", "from_mean")
"""The fields that belong to the weights: with another value the same weights would mean something else."""


class Part(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """A registered name, and options."""

    name: str
    options: dict[str, Any] = {}

    def __post_init__(self) -> None:
        for name, value in self.options.items():
            if not _is_moderate(value):
                raise ValueError(f"option {name!r} of {self.name!r} holds a number over {LARGEST}")


class Recipe(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, omit_defaults=True):
    """What a restoration consists of.

    * `method`, `task`, `network`, `schedule`, `objective`, `sampler`: its parts.
    * `channels`: "rgb", the order of the channels, or one letter for grey.
    * `working_size`: pictures are reduced to about its square, see `restoration.engine.shrinking`; 0 for full size.
    * `restoration`: the version of the toolbox that wrote it.
    * `requires`: the distributions to install if a name is missing.
    * `training`: how the weights were trained.
    * `realism`: that of weights that draw, if nobody says another, see `restoration.realism`; None for all others.
    * `mean`: the weights of the mean of what they draw; "" for those of its method, see `RestorerCard`.
    * `from_mean`: whether the path leads to that mean, not to the degraded picture.
    """

    method: Part
    task: Part
    network: Part | None = None
    schedule: Part | None = None
    objective: Part | None = None
    sampler: Part | None = None
    channels: str = "rgb"
    working_size: int = 0
    restoration: str = ""
    requires: list[str] = []
    training: dict[str, Any] = {}
    realism: float | None = None
    mean: str = ""
    from_mean: bool = False

    def __post_init__(self) -> None:
        if self.channels != "rgb" and len(self.channels) != 1:
            raise ValueError(f"channels must be rgb, or one letter for grey, not {self.channels!r}")
        if self.working_size and not 32 <= self.working_size <= LARGEST:
            raise ValueError(f"working_size must be 0, for the full size, or 32 to {LARGEST}, not {self.working_size}")
        if self.realism is not None and not 0 <= self.realism <= 1:
            raise ValueError(f"realism must be from 0 to 1, not {self.realism}")

    def trained(self) -> dict[str, Any]:
        """Return the fields that belong to the weights, as plain data."""
        fields: dict[str, Any] = msgspec.to_builtins({name: getattr(self, name) for name in TRAINED})
        newer = {"working_size", "from_mean"}  # which weights from before do not name
        return {name: value for name, value in fields.items() if value or name not in newer}

    def to_json(self) -> str:
        """Return the recipe as indented JSON, which `from_json` reads."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode() + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str | Path = "the recipe") -> Recipe:
        """Read a recipe. Raises `BadWeights` for anything unknown in it."""
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else error
            raise BadWeights(f"{where} is not a recipe: {why}") from error


def _is_moderate(value: Any) -> bool:
    """Return whether all whole numbers in a value are at most `LARGEST`."""
    if isinstance(value, dict | list | tuple):
        return all(map(_is_moderate, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int) or abs(value) <= LARGEST
