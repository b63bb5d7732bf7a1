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

GRID = 1000
"""Steps in which the noise of a path without numbered steps is tabulated."""


class Prior:
    """A network on a path without a degraded picture, `x_t = a x + c n`, which shows it `z = x_t / a = x + sigma n`.

    So what it knows of pictures is used without knowing how it was trained: `sigma = c / a` grows with `t`, and each
    strength of noise has its time. Raises `ValueError` for a path that depends on a degraded picture.
    """

    def __init__(self, *, network: Network, schedule: NoiseSchedule, objective: Objective) -> None:
        self.network, self.schedule, self.objective = network, schedule, objective
        self.steps = schedule.T if isinstance(schedule, DiscreteSchedule) else GRID
        a, b, c = schedule.at(torch.linspace(0, 1, self.steps + 1, dtype=torch.float64))
        if bool(b.any()):
            raise ValueError("a prior is trained on noise alone, and this schedule mixes the degraded picture into it")
        self._sigma = c / a
        self._autocast: dict[str, Any] = {"device_type": "cpu", "enabled": False}

    @property
    def strongest(self) -> float:
        """The standard deviation of the strongest noise that it knows, in units of [0, 1]."""
        return float(self._sigma[-1])

    def times(self, first: float, last: float, steps: int) -> Tensor:
        """Return the times of `steps` noises from `first` down to `last`, evenly spaced in their logarithms, and 0.

        They are times that the network was trained at, so that there are fewer where several would be the same.
        """
        first = min(first, self.strongest)
        last = min(max(last, float(self._sigma[1])), first)
        wanted = torch.logspace(math.log10(first), math.log10(last), steps, dtype=torch.float64)
        above = torch.searchsorted(self._sigma, wanted).clamp(1, self.steps)
        nearer = (wanted - self._sigma[above - 1]) < (self._sigma[above] - wanted)
        places = sorted({max(1, place) for place in (above - nearer.long()).tolist()}, reverse=True)
        return torch.tensor([*places, 0], dtype=torch.float64) / self.steps

    def sigmas(self, times: Tensor) -> list[float]:
        """Return the standard deviations of the noise at times."""
        a, _, c = self.schedule.at(times)
        return [float(one) for one in c / a]

    def clean(self, z: Tensor, time: Tensor) -> Tensor:
        """Return the clean image that it sees in `z`, `b c h w`, at a time, a number."""
        x_t = z * float(self.schedule.at(time)[0])
        with torch.autocast(**self._autocast):
            return self.objective.clean(self.network, self.schedule, x_t, x_t, time.to(z)[None]).to(z.dtype)

    def in_full_precision(self, guesses: Iterator[Tensor], device: torch.device) -> Iterator[Tensor]:
        """Yield the guesses of a method, which is run in full precision and can compute gradients.

        Only the network is evaluated in the precision of whoever asks for them.
        """
        kind = device.type
        enabled, dtype = torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)
        self._autocast = {"device_type": kind, "dtype": dtype, "enabled": enabled}
        while True:
            with torch.inference_mode(False), torch.no_grad(), torch.autocast(kind, enabled=False):
                guess = next(guesses, None)
            if guess is None:
                return
            yield guess
