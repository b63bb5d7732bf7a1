"""The methods: mean reversion from the degraded image, and denoising from the time of its noise level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from restoration.noise_level import estimate_sigma
from restoration.sampling import drawing, first_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Generator, Tensor

    from restoration import Network, NoiseSchedule, Objective, Observation, Sampler
    from restoration_ir_sde.schedules import DenoisingSDE


LEAST = 0.1 / 255
"""Noise of at most this standard deviation counts as none, so that there is one step."""


class IRSDE:
    """Samples the clean image from the degraded one plus noise, in `steps` evaluations of the network.

    One evaluation is the prediction of a plain regression network; 100 with the sampler `posterior` are the published
    setting.
    """

    def __init__(
        self, *, network: Network, schedule: NoiseSchedule, objective: Objective, sampler: Sampler, steps: int = 10
    ) -> None:
        if steps < 1:
            raise ValueError(f"steps must be at least 1, not {steps}")
        self.network, self.schedule, self.objective, self.sampler = network, schedule, objective, sampler
        self.steps = steps

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the clean estimate of every step, `b c h w`."""
        y = observation.y
        noise = drawing(y, rng)
        yield from self._walk(first_state(self.schedule, y, noise), y, self.schedule.steps(self.steps), noise)

    def _walk(self, x_t: Tensor, y: Tensor, times: Tensor, noise: Callable[[], Tensor]) -> Iterator[Tensor]:
        def clean(x_t: Tensor, t: Tensor) -> Tensor:
            return self.objective.clean(self.network, self.schedule, x_t, y, t)

        walk = self.sampler(clean, self.schedule, x_t, y, times, noise)
        del x_t  # the sampler has it; a second hold on it would keep a large picture in memory
        for pair in walk:
            estimate = pair[1]
            del pair
            yield estimate
            del estimate


class Denoising(IRSDE):
    """Denoising-SDE and -ODE: a picture with noise `sigma` is a state of the path, and sampling starts there.

    There is an evaluation for each step of the schedule from there on, but at most `steps`. Unknown noise is estimated
    from the picture; noise that is stronger than that of the path starts at its end.
    """

    schedule: DenoisingSDE

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the clean estimate of every step, `b c h w`. Raises `ValueError` if known noise is too strong."""
        sigma = observation.sigma
        if sigma is None:
            strongest = float(self.schedule.at(torch.ones(1, dtype=torch.float64))[2])
            sigma = min(estimate_sigma(observation.y), strongest)
        start = self.schedule.time_of(max(sigma, LEAST))
        steps = min(self.steps, round(start * self.schedule.T))
        times = start * torch.linspace(1, 0, steps + 1, dtype=torch.float64)
        yield from self._walk(observation.y, observation.y, times, drawing(observation.y, rng))
