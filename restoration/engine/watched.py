"""An observation that records which fields a method reads: an option without effect is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restoration.errors import BadOption
from restoration.interfaces import Observation

FIELDS = ("operator", "sigma", "mean")
"""The fields that options of tasks fill, and that of a path which leads to the mean."""


class Watched(Observation):
    """An observation that records, in `read`, which of its `FIELDS` were read."""

    read: set[str]

    @classmethod
    def of(cls, observation: Observation) -> Watched:
        """Watch an observation from now on."""
        watched = cls(**vars(observation))
        object.__setattr__(watched, "read", set())
        return watched

    def __getattribute__(self, name: str) -> Any:
        if name in FIELDS:
            read = object.__getattribute__(self, "__dict__").get("read")
            if read is not None:
                read.add(name)
        return object.__getattribute__(self, name)

    def check(self, told: Mapping[str, str], method: str) -> None:
        """Raise `BadOption` for an option whose field was not read; `told` maps options to the fields they fill."""
        for option, field in told.items():
            if field not in self.read:
                raise BadOption(f"method {method!r} did not use --{option}; leave it out")
