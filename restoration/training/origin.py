"""Where a path leads to in training: the degraded patches, or what the weights of the mean make of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from restoration import weights
from restoration.engine.hardware import precision
from restoration.errors import BadOption
from restoration.interfaces import Observation
from restoration.realism import mean_of
from restoration.recipe import Parts, build_parts, build_restorer

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from restoration.recipe import Recipe


class Origin:
    """The end of the path of a recipe, as seen from the clean image.

    For recipes that are `from_mean` it is the answer of the weights of the mean, with a little noise if the schedule
    adds some there (PMRF, Ohayon et al., arXiv:2410.00418, algorithm 1), for others the degraded picture itself.

    * `recipe`: what is trained.
    * `out`: the folder that it is trained into, from which a path to the weights of the mean is seen.
    * `device`: where.
    * `precision`: "fp32", "bf16", "fp16" or "auto".

    Raises `BadWeights`.
    """

    def __init__(self, recipe: Recipe, out: Path, device: torch.device, precision: str) -> None:
        self.device, self.precision, self.name = device, precision, ""
        self._restorer = None
        if not recipe.from_mean:
            return
        folder = mean_of(weights.Folder(path=out, origin=str(out)), recipe, recipe.task.name)
        mean, self.name = folder.recipe(), folder.origin
        weights.check(folder, mean)
        parts = build_parts(mean)
        if parts.network is not None:
            weights.load(folder, parts.network.network, mean)
            network = parts.network.eval().requires_grad_(False)
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            parts = Parts(**{**vars(parts), "network": network})
        self._restorer = build_restorer(mean, parts)

    @torch.no_grad()
    def __call__(self, seen: Observation) -> Observation:
        """Return what was observed, with the end of the path, `b c h w` in [0, 1], as its `y`. Raises `BadOption`."""
        if self._restorer is None:
            return seen
        try:
            with precision(self.precision, self.device):
                *_, guess = self._restorer(seen, torch.Generator().manual_seed(0))
        except ValueError as error:
            raise BadOption(f"{self.name}, where the path is to begin, has no answer to patches: {error}") from error
        return replace(seen, y=guess.float().clamp(0, 1))

    def of(self, y: Tensor) -> Tensor:
        """Return the end of the path for degraded patches `b c h w`."""
        return self(Observation(y=y)).y if self._restorer is not None else y
