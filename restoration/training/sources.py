"""Which pictures a training learns from, and whether they are what its objective needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from restoration.errors import BadOption
from restoration.images.folders import Pair, bursts_in, pairs_in, scene_of, singles_in

if TYPE_CHECKING:
    from pathlib import Path

    from restoration.registry.cards import ObjectiveCard


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the pictures of a training lie, and what is clean about them.

    * `data`: a folder or shards of clean pictures, or of pairs.
    * `degraded`: a folder or shards of degraded pictures; then those in `data` are the clean ones of the pairs.
    * `templates`: how the files of `data` and of `degraded` are named, see `pairs_in`.
    * `noisy`: whether no picture is clean: those in `data` and `degraded` are two of the same scene, or those of each
      folder in `data` are, or all in `data` stand alone, by what the objective learns from.
    """

    data: Path
    degraded: Path | None = None
    templates: tuple[str, str] = ("", "")
    noisy: bool = False

    def pairs(self, objective: ObjectiveCard, out: Path) -> list[Pair]:
        """Return the pictures, of which those in `out` are none. Raises `BadOption` where they do not fit."""
        learns_from, name = objective.learns_from, objective.name
        if self.noisy and learns_from == "clean":
            raise BadOption(f"objective {name!r} learns from clean pictures, and those of --pairs and --noisy are not")
        if self.noisy and self.degraded is not None and learns_from == "degraded":
            raise BadOption(f"objective {name!r} needs no pairs: name one folder of noisy pictures with --noisy")
        if self.noisy and self.degraded is None:
            return (bursts_in if learns_from == "pairs" else singles_in)(self.data, without=out)
        clean_name, degraded_name = self.templates
        pairs = pairs_in(self.data, self.degraded, clean_name=clean_name, degraded_name=degraded_name, without=out)
        if not self.noisy and learns_from != "clean" and any(pair.degraded is not None for pair in pairs):
            wanted = "two noisy pictures of each scene with --pairs" if learns_from == "pairs" else "them with --noisy"
            raise BadOption(
                f"objective {name!r} learns from noisy pictures alone, not from pairs with a clean one: name {wanted}"
            )
        return pairs

    def scene(self) -> Callable[[Pair], object]:
        """Return what the pairs of one scene have in common."""
        return scene_of if self.noisy and self.degraded is None else attrgetter("clean")


def check_undamaged(objective: ObjectiveCard, undamaged: float) -> None:
    """Raise `BadOption` where an objective that never sees a clean picture would be shown some."""
    if undamaged and objective.learns_from != "clean":
        raise BadOption(f"objective {objective.name!r} sees no clean picture; leave out --undamaged")
