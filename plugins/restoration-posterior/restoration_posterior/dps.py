"""DPS: Chung et al., "Diffusion Posterior Sampling for General Noisy Inverse Problems", ICLR 2023, arXiv:2209.14687.

Each step of a sampler is followed by one against the gradient, through the network, of the distance between what was
measured and what the clean estimate would give.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from restoration.operators import Masking
from restoration.sampling import drawing
from restoration_posterior.prior import Prior
from restoration_posterior.problem import Problem, pose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from restoration import Network, NoiseSchedule, Objective, Observation


class DPS:
    def __init__(
        self,
        *,
        network: Network,
        schedule: NoiseSchedule,
        objective: Objective,
        task: str,
        steps: int = 50,
        eta: float = 1.0,
        step_size: float = 1.0,
        rule: str = "polyak",
        sigma: float | None = None,
        last: float = 1.0,
    ) -> None:
        self.prior = Prior(network=network, schedule=schedule, objective=objective)
        self.task, self.steps, self.eta, self.sigma = task, steps, eta, sigma
        self.last, self.step_size, self.rule = last, step_size, rule

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        return self.prior.apart(self._walk(observation, rng), observation.y.device)

    def _walk(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        problem = pose(observation, self.task, self.sigma)
        noise = drawing(problem.guess, rng)
        times = self.prior.times(problem.sigma if problem.noisy else self.prior.strongest, self.last * problem.sigma, self.steps)
        sigmas = self.prior.sigmas(times)
        with torch.inference_mode(False):
            y = problem.y.clone()
            operator = problem.operator
            if isinstance(operator, Masking): operator = Masking(operator.mask.clone())
        z = problem.guess + (0 if problem.noisy else sigmas[0]) * noise()
        for step, (here, after) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
            with torch.inference_mode(False), torch.enable_grad():
                z_ = z.clone().requires_grad_()
                x = self.prior.clean(z_, times[step])
                r = y - operator(x)
                loss = r.square().sum()
                g, = torch.autograd.grad(loss, z_)
            x = x.detach(); loss=float(loss.detach())
            if self.rule == "polyak":
                excess = max(loss - r.numel() * problem.sigma**2, 0.0)
                move = self.step_size * excess / float(g.square().sum()) * g
            else:
                move = self.step_size * g / (2*math.sqrt(loss))
            yield x
            n = (z - x) / here
            d2 = after**2 - (after**2/here)**2
            s = self.eta * math.sqrt(max(d2,0.0))
            z = x + math.sqrt(max(after**2 - s**2,0)) * n + s * noise() - move
