"""Direct regression: one network, one evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from einops import reduce

from restoration import EnlargingNetwork
from restoration.framing import crop_to, enlargement
from restoration.metrics import decibels
from restoration.operators import enlarge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from restoration import DirectObjective, Network, NoiseSchedule, Observation, RowGenerators


class DirectMatching:
    """The network maps the degraded picture to the clean one.

    * `norm`: "l1", the mean absolute error; "l2", the mean squared error; or "psnr", the negative PSNR of each row in
      dB, to which pictures with little damage contribute as much as those with much.
    """

    def __init__(self, *, norm: Literal["l1", "l2", "psnr"] = "l1") -> None:
        self.norm = norm

    def loss(
        self, network: Network, schedule: NoiseSchedule | None, x: Tensor, y: Tensor, rng: RowGenerators
    ) -> Tensor:
        """Return one loss an image, `b`. There is no path: `schedule` and `rng` are not used.

        Degraded pictures that are smaller than `x` are for a network that enlarges.
        """
        start = y if y.shape == x.shape else crop_to(enlarge(y, enlargement(x, y)), x)
        error = self.clean(network, schedule, start, y, x.new_ones(x.shape[0])) - x
        cost = reduce(error.abs() if self.norm == "l1" else error.square(), "b c h w -> b", "mean")
        return decibels(cost) if self.norm == "psnr" else cost

    def clean(self, network: Network, schedule: NoiseSchedule | None, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Return the answer of the network to the degraded picture, `b c h w`; to a small one, in the size of `x_t`."""
        return network(y if y.shape == x_t.shape else x_t, y, torch.ones_like(t)).to(y.dtype)


class Regression:
    """One evaluation of a network trained with `DirectMatching`."""

    def __init__(self, *, network: Network, objective: DirectObjective) -> None:
        self.network, self.objective = network, objective

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the one answer, `b c h w`. Raises `ValueError` for a network that enlarges, and no small picture."""
        y = seen = observation.y
        if isinstance(self.network, EnlargingNetwork) and self.network.enlarges:
            if observation.measured is None:
                raise ValueError("its network enlarges small pictures, and this one is none")
            seen = observation.measured
        yield self.objective.clean(self.network, None, y, seen, torch.ones(1, device=y.device))
