"""DDRM: Kawar et al., "Denoising Diffusion Restoration Models", NeurIPS 2022, arXiv:2201.11793.

A walk from noise to a picture, in the directions of the operator's singular values: each of them is known as well as
it was measured, and the prior decides the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from restoration.operators import Convolution
from restoration.sampling import drawing
from restoration.spectra import Circular, spectrum_of
from restoration_posterior.prior import Prior
from restoration_posterior.problem import pose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Generator, Tensor

    from restoration import Network, NoiseSchedule, Objective, Observation
    from restoration.spectra import Spectrum


@dataclass(frozen=True, kw_only=True)
class Blend:
    """What was measured in the directions of an operator, and how a state is made of it (equations 7 and 8).

    * `spectrum`: the directions, and the singular values `s`.
    * `sigma`: the standard deviation of the noise of what was measured.
    * `eta`: the share of new noise in directions that were not measured, or worse than the state's own noise.
    * `eta_b`: the share of the measurement in directions that were measured better.
    """

    spectrum: Spectrum
    sigma: float
    eta: float = 0.85
    eta_b: float = 1.0

    def first(self, read: Tensor, guess: Tensor, noise: Tensor, sigma: float) -> Tensor:
        """Return a state with noise `sigma`: what was measured, `read`, and else a `guess` of the image, `b c h w`."""
        s, wide = self.spectrum.s, guess + sigma * noise
        seen = self.spectrum.analyse(wide)
        spread = (sigma**2 - (self.sigma / _divisor(s)).square()).clamp(min=0).sqrt()
        known = read / _divisor(s) + spread * self.spectrum.analyse(noise)
        return wide + self.spectrum.synthesise(torch.where(s * sigma > self.sigma, known, seen) - seen)

    def next(self, read: Tensor, x: Tensor, n: Tensor, noise: Tensor, sigma: float) -> Tensor:
        """Return the next state, with noise `sigma`, for a clean estimate `x` and the noise `n` that it left."""
        s, kept = self.spectrum.s, math.sqrt(1 - self.eta**2) * sigma
        unknown = x + kept * n + self.eta * sigma * noise
        before, seen, drawn = map(self.spectrum.analyse, (x, unknown, noise))
        noisy = before + self.eta * sigma * drawn
        if self.sigma:
            noisy = noisy + kept / self.sigma * (read - s * before)
        spread = (sigma**2 - (self.eta_b * self.sigma / _divisor(s)).square()).clamp(min=0).sqrt()
        known = (1 - self.eta_b) * before + self.eta_b * read / _divisor(s) + spread * drawn
        blended = torch.where((s > 0) & (s * sigma < self.sigma), noisy, seen)
        blended = torch.where(s * sigma > self.sigma, known, blended)
        return unknown + self.spectrum.synthesise(blended - seen)


def walk(
    clean: Callable[[Tensor, int], Tensor],
    blend: Blend,
    measured: Callable[[Tensor], Tensor],
    z: Tensor,
    sigmas: list[float],
    noise: Callable[[], Tensor],
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the state, `x + sigma n`, and the clean estimate that led to it, after each step.

    * `clean`: predicts the clean image from a state and the number of its step.
    * `blend`: makes the next state.
    * `measured`: returns `U' y` for a clean estimate, which it may need for what the spectrum does not describe.
    * `z`: the first state, `b c h w`.
    * `sigmas`: the noises of the states, down to 0.
    * `noise`: draws noise of the shape of the state.
    """
    for step, (here, after) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        x = clean(z, step)
        z = blend.next(measured(x), x, (z - x) / here, noise(), after)
        yield z, x


class DDRM:
    """Restores by a prior and the singular values of the operator.

    * `network`, `schedule`, `objective`: the prior.
    * `task`: the name of the task.
    * `steps`: the evaluations of the network.
    * `eta`, `eta_b`: see `Blend`.
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
        eta: float = 0.85,
        eta_b: float = 1.0,
        sigma: float | None = None,
        last: float = 1.0,
    ) -> None:
        if steps < 1 or not 0 <= eta <= 1 or not 0 <= eta_b <= 1:
            raise ValueError(f"steps must be at least 1, eta and eta_b in [0, 1], not {steps}, {eta}, {eta_b}")
        self.prior = Prior(network=network, schedule=schedule, objective=objective)
        self.task, self.steps, self.eta, self.eta_b, self.sigma = task, steps, eta, eta_b, sigma
        self.last = last

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        return self.prior.apart(self._walk(observation, rng), observation.y.device)

    def _walk(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the clean estimate of every step, `b c h w`. Raises `ValueError` for what has no singular values."""
        problem = pose(observation, self.task, self.sigma)
        operator, y = problem.operator, problem.y
        size = (problem.guess.shape[-2], problem.guess.shape[-1])
        blurred = isinstance(operator, Convolution)
        spectrum = Circular(operator.kernel.to(y), size) if blurred else spectrum_of(operator, problem.guess)
        if spectrum is None:
            raise ValueError(f"the singular values of a {type(operator).__name__} are not known; take diffpir or dps")

        import os
        if blurred:
            cut=float(os.environ.get('CUT','0')); ramp=float(os.environ.get('RAMP','0')); k=operator.kernel.shape[-1]//2
            spectrum.s = torch.where(spectrum.s < cut, 0.0, spectrum.s)
            def w1(n):
                d=torch.minimum(torch.arange(n)+.5, n-torch.arange(n)-.5)
                return ((d-k*ramp/2)/(k*ramp/2)).clamp(0,1) if ramp else torch.ones(n)
            window = w1(size[0])[:,None]*w1(size[1])
            window = window*window*(3-2*window)
        def measured(x: Tensor) -> Tensor:
            """Return what would have been measured if the picture went on at its opposite border, for a blur."""
            if not blurred: return spectrum.read(y)
            r = (y - operator(x)) * window
            return spectrum.read(spectrum(x) + r)

        times = self.prior.times(self.prior.strongest, self.last * problem.sigma, self.steps)
        sigmas = self.prior.sigmas(times)
        blend, noise = Blend(spectrum=spectrum, sigma=problem.sigma, eta=self.eta, eta_b=self.eta_b), drawing(problem.guess, rng)
        first = blend.first(measured(problem.guess), problem.guess, noise(), sigmas[0])
        for _, x in walk(lambda z, step: self.prior.clean(z, times[step]), blend, measured, first, sigmas, noise):
            yield x


def _divisor(s: Tensor) -> Tensor:
    """Return singular values to divide by, where those of 0 are 1: what comes of them is not used."""
    return torch.where(s > 0, s, 1.0)
