"""DiffPIR: Zhu et al., "Denoising Diffusion Models for Plug-and-Play Image Restoration", CVPRW 2023, arXiv:2305.08995.

Each step denoises, and then moves the estimate to where it explains the measurement; the noise that this leaves is
mixed with new one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from restoration.sampling import drawing
from restoration.spectra import solve, solve_in_spectrum, spectrum_of
from restoration_posterior.prior import Prior
from restoration_posterior.problem import pose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from restoration import Network, NoiseSchedule, Objective, Observation


class DiffPIR:
    """Restores by a prior and the nearest image that explains what was measured.

    * `network`, `schedule`, `objective`: the prior.
    * `task`: the name of the task.
    * `steps`: the evaluations of the network.
    * `weight`: how much the prior counts against the measurement, lambda.
    * `zeta`: the share of new noise at each step, 0 to 1.
    * `sigma`: the standard deviation of the noise in levels of 255, if it is not known otherwise.
    """

    def __init__(
        self,
        *,
        network: Network,
        schedule: NoiseSchedule,
        objective: Objective,
        task: str,
        steps: int = 20,
        weight: float = 7.0,
        zeta: float = 0.3,
        sigma: float | None = None,
        last: float = 1.0,
    ) -> None:
        if steps < 1 or weight <= 0 or not 0 <= zeta <= 1:
            raise ValueError(f"steps must be at least 1, weight above 0, zeta in [0, 1], not {steps}, {weight}, {zeta}")
        self.prior = Prior(network=network, schedule=schedule, objective=objective)
        self.task, self.steps, self.weight, self.zeta, self.sigma = task, steps, weight, zeta, sigma
        self.last = last

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        return self.prior.apart(self._walk(observation, rng), observation.y.device)

    def _walk(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the estimate of every step, `b c h w`."""
        problem = pose(observation, self.task, self.sigma)
        noise = drawing(problem.guess, rng)
        spectrum = spectrum_of(problem.operator, problem.guess)
        times = self.prior.times(problem.sigma if problem.noisy else self.prior.strongest, self.last * problem.sigma, self.steps)
        sigmas = self.prior.sigmas(times)
        z = problem.guess + (0 if problem.noisy else sigmas[0]) * noise()
        for step, (here, after) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
            x = self.prior.clean(z, times[step])
            weight = self.weight * problem.sigma**2 / here**2
            if spectrum is None:
                x = solve(problem.operator, problem.y, x, weight)
            else:
                x = solve_in_spectrum(spectrum, problem.y, x, weight)
            yield x
            left = (z - x) / here
            z = x + after * (math.sqrt(1 - self.zeta) * left + math.sqrt(self.zeta) * noise())
