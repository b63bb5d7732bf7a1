"""DiffPIR: Zhu et al., "Denoising Diffusion Models for Plug-and-Play Image Restoration", 2023, arXiv:2305.08995.

Each step denoises, and then moves the estimate to where it explains the measurement; the noise that is left of the
state before is mixed with new one.
"""

from __future__ import annotations

import itertools
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
    """Restores by a prior and, after each of its estimates, the image near it that explains what was measured.

    * `network`, `schedule`, `objective`: the prior.
    * `task`: the name of the task.
    * `steps`: the evaluations of the network.
    * `weight`: how much the estimate counts against the measurement, λ of the paper; by default 1, or 10 where the
      damage is noise alone.
    * `zeta`: the share of new noise in a state, ζ of the paper; by default 1, or 0 where the damage is noise alone,
      since the noise that is left is what was measured.
    * `noise`: the standard deviation of the noise in levels of 255, if it is known and the task does not tell it.
    """

    def __init__(
        self,
        *,
        network: Network,
        schedule: NoiseSchedule,
        objective: Objective,
        task: str,
        steps: int = 15,
        weight: float | None = None,
        zeta: float | None = None,
        noise: float | None = None,
    ) -> None:
        if steps < 1 or (weight is not None and weight <= 0) or not 0 <= (zeta or 0) <= 1:
            raise ValueError(f"steps must be at least 1, weight above 0, zeta in [0, 1], not {steps}, {weight}, {zeta}")
        self.prior = Prior(network=network, schedule=schedule, objective=objective)
        self.task, self.steps, self.weight, self.zeta, self.noise = task, steps, weight, zeta, noise

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the estimate of every step, `1 c h w`."""
        return self.prior.in_full_precision(self._sample(observation, rng), observation.y.device)

    def _sample(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield, after each evaluation, the image near its estimate that explains the measurement (algorithm 1)."""
        problem = pose(observation, self.task, self.noise)
        lambda_ = (10.0 if problem.noisy else 1.0) if self.weight is None else self.weight
        zeta = (0.0 if problem.noisy else 1.0) if self.zeta is None else self.zeta
        spectrum = spectrum_of(problem.operator, problem.guess)
        times = problem.times(self.prior, self.steps)
        sigmas, noise = self.prior.sigmas(times), drawing(problem.guess, rng)
        z = problem.first(sigmas[0], noise())
        for step, (here, after) in enumerate(itertools.pairwise(sigmas)):
            x = self.prior.clean(z, times[step])
            weight = lambda_ * (problem.sigma / here) ** 2
            if spectrum is None:
                x = solve(problem.operator, problem.y, x, weight)
            else:
                x = solve_in_spectrum(spectrum, problem.y, x, weight)
            yield x
            z = x + after * (math.sqrt(1 - zeta) / here * (z - x) + math.sqrt(zeta) * noise())
