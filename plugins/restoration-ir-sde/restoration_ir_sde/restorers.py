"""The methods: mean reversion from the degraded image, and denoising from the time of its noise level."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from restoration.noise_level import estimate_sigma
from restoration.sampling import drawing, first_state, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Generator, Tensor

    from restoration import Network, NoiseSchedule, Objective, Observation, Sampler
    from restoration_ir_sde.schedules import DenoisingSDE, NoiseLevel


LEVELS = 4
"""The levels of a map of noise that a picture is sampled from."""
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
        y, mean = observation.y, observation.mean
        network, end = (self.network, y) if mean is None else (shown(self.network, y), mean)
        noise = drawing(y, rng)
        first = first_state(self.schedule, end, noise)
        yield from self._sample(first, end, self.schedule.steps(self.steps), noise, network)

    def _sample(
        self,
        x_t: Tensor,
        y: Tensor,
        times: Tensor,
        noise: Callable[[], Tensor],
        network: Network,
    ) -> Iterator[Tensor]:
        """Yield the clean estimates from a state `b c h w` at the first of the times down to the last."""

        def clean(x_t: Tensor, t: Tensor) -> Tensor:
            return self.objective.clean(network, self.schedule, x_t, y, t)

        steps = self.sampler(clean, self.schedule, x_t, y, times, noise)
        del x_t  # the sampler has it; a second hold on it would keep a large picture in memory
        for pair in steps:
            estimate = pair[1]
            del pair
            yield estimate
            del estimate


class Denoising(IRSDE):
    """Denoising-SDE and -ODE: a picture with noise `sigma` is a state of the path, and sampling starts there.

    There is an evaluation for each step of the schedule from there on, but at most `steps`. Unknown noise is estimated
    from the picture; noise that is stronger than that of the path starts at its end. If a map of the noise is known,
    the picture is sampled from up to four of its levels, and each pixel is interpolated between the two next to its
    own. Noise of a grey picture is the same in all channels, which no state of the path is: it gets what it lacks.
    """

    schedule: DenoisingSDE | NoiseLevel

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the clean estimate of every step, `b c h w`. Raises `ValueError` if known noise is too strong."""
        sigma, y = observation.sigma, observation.y
        if isinstance(sigma, torch.Tensor):
            yield from self._denoise_by_map(y, sigma, rng)
            return
        if sigma is None:
            strongest = float(self.schedule.at(torch.ones(1, dtype=torch.float64))[2])
            sigma = min(estimate_sigma(y), strongest)
        yield from self._denoise(y, sigma, rng)

    def _denoise_by_map(self, y: Tensor, sigma: Tensor, rng: Generator) -> Iterator[Tensor]:
        """Yield the estimate of `y` after each level of a map of noise, `1 1 h w`: `b c h w`."""
        quantiles = torch.linspace(0, 1, LEVELS, dtype=torch.float64)
        levels = sorted(set(torch.quantile(_thinned(sigma).double(), quantiles).tolist()))
        left, total = torch.ones_like(y), torch.zeros_like(y)
        for number, level in enumerate(levels):
            *_, estimate = self._denoise(y, level, rng)
            share = weights_of(sigma.to(y), levels, number)
            total, left = total + share * estimate, left - share
            yield total + left * estimate

    def _denoise(self, y: Tensor, sigma: float, rng: Generator) -> Iterator[Tensor]:
        """Yield the clean estimates of a picture `b c h w` with noise of one strength."""
        noise = drawing(y, rng)
        grey = y.shape[1] == 3 and torch.equal(y, y[:, :1].expand_as(y))
        start = self.schedule.time_of(max(sigma, LEAST))
        if grey:
            sigma = min(math.sqrt(3) * sigma, float(self.schedule.at(torch.ones(1, dtype=torch.float64))[2]))
            y, start = coloured(y, sigma, noise), self.schedule.time_of(max(sigma, LEAST))
        steps = min(self.steps, round(start * self.schedule.T))
        times = start * torch.linspace(1, 0, steps + 1, dtype=torch.float64)
        for estimate in self._sample(y, y, times, noise, self.network):
            yield estimate.mean(dim=1, keepdim=True).expand_as(estimate) if grey else estimate


def coloured(y: Tensor, sigma: float, noise: Callable[[], Tensor]) -> Tensor:
    """Add what grey noise lacks to be noise `sigma` that differs from channel to channel, as it is on the path.

    The mean of three independent channels has a third of the variance of each, so a grey picture, `b 3 h w`, whose
    noise is `sigma / √3` lacks the other two thirds: noise whose channels have the sum 0.
    """
    other = noise()
    return y + sigma * (other - other.mean(dim=1, keepdim=True))


def _thinned(sigma: Tensor) -> Tensor:
    """Return the least and the largest value of a map, and some of those between: quantiles need no more."""
    values = sigma.flatten()
    return torch.cat([values.min()[None], values[:: max(1, len(values) // 100_000)], values.max()[None]])


def weights_of(sigma: Tensor, levels: list[float], number: int) -> Tensor:
    """Return the weight of one of the `levels` of noise at each pixel of a map, `1 1 h w`; all of them sum to 1."""
    weight = torch.ones_like(sigma)
    if number > 0:
        low, here = levels[number - 1 : number + 1]
        weight = weight * ((sigma - low) / (here - low)).clamp(0, 1)
    if number < len(levels) - 1:
        here, high = levels[number : number + 2]
        weight = weight * ((high - sigma) / (high - here)).clamp(0, 1)
    return weight
