"""What the weights of the mean make of degraded patches, for paths that lead there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from restoration import weights
from restoration.engine.hardware import precision
from restoration.errors import BadOption
from restoration.hub import is_repository
from restoration.interfaces import Observation
from restoration.realism import mean_of
from restoration.recipe import Parts, build_parts, build_restorer
from restoration.registry import registry
from restoration.registry.cards import ScheduleCard, WeightsCard

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from restoration.recipe import Recipe


class Means:
    """Predicts the mean of all likely clean pictures for a recipe that is `from_mean`; for others there is none.

    * `recipe`: what is trained.
    * `out`: the folder that it is trained into, from which a path to the weights of the mean is seen.
    * `device`: where.
    * `precision`: "fp32", "bf16", "fp16" or "auto".

    Raises `BadOption` or `BadWeights`.
    """

    def __init__(self, recipe: Recipe, out: Path, device: torch.device, precision: str) -> None:
        self.device, self.precision, self.name = device, precision, ""
        self._restorer = None
        if not recipe.from_mean:
            _check(recipe, out)
            return
        name = recipe.schedule.name if recipe.schedule else None
        if name is None or not registry().card(ScheduleCard, name).uses_y:
            raise BadOption(
                f"schedule {name!r} leads to noise alone, not to a picture, so it cannot lead to the mean; leave "
                "--from-mean out, or name another --schedule"
            )
        folder = mean_of(weights.Folder(path=out, origin=str(out)), recipe, recipe.task.name)
        mean, self.name = folder.recipe(), folder.origin
        weights.check(folder, mean)
        parts = build_parts(mean)
        if parts.network is not None:
            weights.load(folder, parts.network.network, mean)
            network = parts.network.eval().requires_grad_(False)
            network.to(device).to(memory_format=torch.channels_last)
            parts = Parts(**{**vars(parts), "network": network})
        self._restorer = build_restorer(mean, parts)

    @torch.no_grad()
    def __call__(self, y: Tensor) -> Tensor | None:
        """Return the mean for degraded pictures, both `b c h w` in [0, 1]; None if no path leads there.

        Raises `BadOption` where its weights have no answer.
        """
        if self._restorer is None:
            return None
        try:
            with precision(self.precision, self.device):
                *_, guess = self._restorer(Observation(y=y), torch.Generator().manual_seed(0))
        except ValueError as error:
            raise BadOption(f"{self.name}, where the path leads, has no answer to patches: {error}") from error
        return guess.float().clamp(0, 1)


def _check(recipe: Recipe, out: Path) -> None:
    """Raise `BadWeights` for weights of the mean that nobody could use later; those on the Hub are not fetched."""
    if recipe.realism is None or (recipe.realism == 1 and not recipe.mean):
        return
    here = {card.name for card in registry().cards(WeightsCard)}
    if not recipe.mean or recipe.mean in here or not is_repository(recipe.mean):
        mean_of(weights.Folder(path=out, origin=str(out)), recipe, recipe.task.name)
