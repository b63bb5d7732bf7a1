"""A network that denoises, as a prior: it predicts the clean image from an image with noise of any strength."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from restoration import DiscreteSchedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from restoration import Network, NoiseSchedule, Objective

GRID = 1001
"""Times at which the noise of a path without numbered steps is tabulated."""


class Prior:
    """A network on a path without a degraded picture, `x_t = a x + c n`: at `t` it sees `z = x_t / a = x + sigma n`.

    So what it knows of pictures is used without knowing how it was trained: `sigma = c / a` grows with `t`, and each
    strength of noise has its time. Raises `ValueError` for a path that depends on a degraded picture.
    """

    def __init__(self, *, network: Network, schedule: NoiseSchedule, objective: Objective) -> None:
        self.network, self.schedule, self.objective = network, schedule, objective
        steps = schedule.T if isinstance(schedule, DiscreteSchedule) else GRID - 1
        times = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        a, b, c = schedule.at(times)
        if bool(b.any()):
            raise ValueError("its weights were trained with degraded pictures beside the noise: they are no prior")
        self._times, self._a, self._sigma = times, a, c / a
        self._autocast: dict[str, Any] = {"device_type": "cpu", "enabled": False}

    @property
    def strongest(self) -> float:
        """The standard deviation of the strongest noise that it knows, in units of [0, 1]."""
        return float(self._sigma[-1])

    def times(self, first: float, last: float, steps: int) -> Tensor:
        """Return the times of `steps` noises from `first` to `last`, evenly spaced in their logarithms, then 0.

        Times of numbered steps are whole ones, so that there may be fewer.
        """
        first = min(first, self.strongest)
        last = min(max(last, float(self._sigma[1])), first)
        wanted = torch.logspace(math.log10(first), math.log10(last), steps, dtype=torch.float64)
        after = torch.searchsorted(self._sigma, wanted).clamp(1, len(self._sigma) - 1)
        low, high = self._sigma[after - 1], self._sigma[after]
        part = ((wanted - low) / (high - low)).clamp(0, 1)
        if isinstance(self.schedule, DiscreteSchedule):
            part = part.round()
        places = (after - 1 + part).clamp(min=1).unique().flip(0)
        return torch.cat([places, places.new_zeros(1)]) / (len(self._times) - 1)

    def sigmas(self, times: Tensor) -> list[float]:
        """Return the standard deviations of the noise at times."""
        a, _, c = self.schedule.at(times)
        return (c / a).tolist()  # type: ignore[no-any-return]

    def clean(self, z: Tensor, time: Tensor) -> Tensor:
        """Return the clean image that it sees in `z`, `b c h w`, at a time of no dimension."""
        x_t = z * float(self.schedule.at(time)[0])
        with torch.autocast(**self._autocast):
            return self.objective.clean(self.network, self.schedule, x_t, x_t, time.to(z)[None]).to(z.dtype)

    def apart(self, guesses: Iterator[Tensor], device: torch.device) -> Iterator[Tensor]:
        """Yield guesses that are computed in full precision, but for the network, which keeps that of the caller."""
        kind = device.type
        self._autocast = {
            "device_type": kind,
            "dtype": torch.get_autocast_dtype(kind),
            "enabled": torch.is_autocast_enabled(kind),
        }
        while True:
            with torch.autocast(kind, enabled=False):
                guess = next(guesses, None)
            if guess is None:
                return
            yield guess
