"""Direct regression: one network, one evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from einops import reduce

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from restoration import Network, NoiseSchedule, Objective, Observation, RowGenerators


class DirectMatching:
    """The network maps the degraded picture to the clean one; the loss is the mean absolute or squared error."""

    def __init__(self, *, norm: Literal["l1", "l2"] = "l1") -> None:
        self.norm = norm

    def loss(
        self, network: Network, schedule: NoiseSchedule | None, x: Tensor, y: Tensor, rng: RowGenerators
    ) -> Tensor:
        """Return one loss an image, `b`. There is no path: `schedule` and `rng` are not used."""
        error = self.clean(network, schedule, y, y, x.new_ones(x.shape[0])) - x
        return reduce(error.abs() if self.norm == "l1" else error.square(), "b c h w -> b", "mean")

    def clean(self, network: Network, schedule: NoiseSchedule | None, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Return the answer of the network to the degraded picture, `b c h w`."""
        return network(y, y, torch.ones_like(t)).to(y.dtype)


class Regression:
    """One evaluation of a network trained with `DirectMatching`."""

    def __init__(self, *, network: Network, objective: Objective) -> None:
        self.network, self.objective = network, objective

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the one answer, `b c h w`."""
        y = observation.y
        yield self.objective.clean(self.network, None, y, y, torch.ones(1, device=y.device))  # type: ignore[arg-type]
