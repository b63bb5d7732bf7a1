"""The method: one evaluation of a network that was trained on noisy pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from restoration import DirectObjective, Network, Observation


class Noise2Noise:
    """One evaluation of a network trained with `PairMatching` or `NeighbourMatching`."""

    def __init__(self, *, network: Network, objective: DirectObjective) -> None:
        self.network, self.objective = network, objective

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the one answer, `b c h w`."""
        y = observation.y
        yield self.objective.clean(self.network, None, y, y, torch.ones(1, device=y.device))
