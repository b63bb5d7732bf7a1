"""DPS: Chung et al., "Diffusion Posterior Sampling for General Noisy Inverse Problems", ICLR 2023, arXiv:2209.14687.

Each step of a sampler is followed by one against the gradient, through the network, of the distance between what was
measured and what the clean estimate would give.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import torch

from restoration.sampling import drawing
from restoration_posterior.prior import Prior
from restoration_posterior.problem import Problem, pose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from restoration import Network, NoiseSchedule, Objective, Observation


class DPS:
    """Restores by a prior and the gradient of the distance to what was measured.

    The paper takes a thousand steps, and for each task a length that was found by trying. Here a step is as long as
    Polyak's: as the distance beyond that of the noise, were it linear, would need to vanish. So a few steps are enough,
    and all tasks have one setting.

    * `network`, `schedule`, `objective`: the prior.
    * `task`: the name of the task.
    * `steps`: the evaluations of the network, each with its gradient.
    * `length`: of the step against the gradient, as a multiple of Polyak's.
    * `eta`: how much of the noise of a state is new, 0 to 1; by default 1, or 0 where the damage is noise alone, since
      the noise that is left is what was measured.
    * `noise`: the standard deviation of the noise in levels of 255, if it is known and the task does not tell it.
    """

    def __init__(
        self,
        *,
        network: Network,
        schedule: NoiseSchedule,
        objective: Objective,
        task: str,
        steps: int = 30,
        length: float = 1.0,
        eta: float | None = None,
        noise: float | None = None,
    ) -> None:
        if steps < 1 or length <= 0 or not 0 <= (eta or 0) <= 1:
            raise ValueError(f"steps must be at least 1, length above 0, eta in [0, 1], not {steps}, {length}, {eta}")
        self.prior = Prior(network=network, schedule=schedule, objective=objective)
        self.task, self.steps, self.length, self.eta, self.noise = task, steps, length, eta, noise

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the clean estimate of every step, `1 c h w`."""
        return self.prior.in_full_precision(self._sample(observation, rng), observation.y.device)

    def _sample(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the clean estimates of a sampler that goes against the gradient after each step (algorithm 1)."""
        problem = pose(observation, self.task, self.noise)
        times = problem.times(self.prior, self.steps)
        sigmas, noise = self.prior.sigmas(times), drawing(problem.guess, rng)
        eta = (0.0 if problem.noisy else 1.0) if self.eta is None else self.eta
        z = problem.first(sigmas[0], noise())
        for step, (here, after) in enumerate(itertools.pairwise(sigmas)):
            x, move = self._estimate(problem, z, times[step])
            yield x
            new = eta * after * math.sqrt(1 - (after / here) ** 2)
            z = x + math.sqrt(after**2 - new**2) / here * (z - x) + new * noise() - move

    def _estimate(self, problem: Problem, z: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return the clean estimate of a state and the step against the gradient, both `b c h w`."""
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            x = self.prior.clean(z, time)
            residual = problem.y - problem.operator(x)
            distance = residual.square().sum()
            (gradient,) = torch.autograd.grad(distance, z)
        beyond = max(float(distance.detach()) - residual.numel() * problem.sigma**2, 0.0)
        length = self.length * beyond / max(float(gradient.square().sum()), torch.finfo(z.dtype).tiny)
        return x.detach(), length * gradient
