"""DDRM: Kawar et al., "Denoising Diffusion Restoration Models", NeurIPS 2022, arXiv:2201.11793.

Sampling from noise to a picture, in the directions of the operator's singular values: each of them is known as well as
it was measured, and the prior decides the rest.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from restoration.operators import Convolution
from restoration.sampling import drawing
from restoration.spectra import Circular, spectrum_of
from restoration_posterior.prior import Prior
from restoration_posterior.problem import Problem, pose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Generator, Tensor

    from restoration import Network, NoiseSchedule, Objective, Observation
    from restoration.spectra import Spectrum

LEAST = 0.05
"""Frequencies of which a blur leaves less than this share count as not measured."""


@dataclass(frozen=True, kw_only=True)
class Blend:
    """How a state is made of what was measured in the directions of an operator (equations 7 and 8).

    * `spectrum`: the directions, and their singular values.
    * `sigma`: the standard deviation of the noise of the measurement.
    * `eta`: the share of new noise in directions that were not measured.
    * `eta_a`: the share of new noise in those that were measured, but worse than the state is.
    * `eta_b`: the share of the measurement in those that were measured better.
    """

    spectrum: Spectrum
    sigma: float
    eta: float
    eta_a: float
    eta_b: float

    def first(self, read: Tensor, guess: Tensor, noise: Tensor, sigma: float) -> Tensor:
        """Return a state with noise `sigma`: what was `read` of the measurement, else a `guess` of the image."""
        s, wide = self.spectrum.s, guess + sigma * noise
        seen = self.spectrum.analyse(wide)
        known = read / _divisor(s) + self._spread(1.0, sigma) * self.spectrum.analyse(noise)
        return wide + self.spectrum.synthesise(torch.where(s * sigma > self.sigma, known, seen) - seen)

    def next(self, read: Tensor, x: Tensor, n: Tensor, noise: Tensor, sigma: float) -> Tensor:
        """Return the next state, with noise `sigma`.

        * `read`: `U' y` of the measurement.
        * `x`: the clean estimate, `b c h w`.
        * `n`: the noise that the estimate leaves of the state before.
        * `noise`: new noise.
        * `sigma`: the noise of the next state.
        """
        s = self.spectrum.s
        unknown = x + math.sqrt(1 - self.eta**2) * sigma * n + self.eta * sigma * noise
        before, seen, drawn = map(self.spectrum.analyse, (x, unknown, noise))
        noisy = before + self.eta_a * sigma * drawn
        if self.sigma:
            noisy = noisy + math.sqrt(1 - self.eta_a**2) * sigma / self.sigma * (read - s * before)
        known = (1 - self.eta_b) * before + self.eta_b * read / _divisor(s) + self._spread(self.eta_b, sigma) * drawn
        blended = torch.where((s > 0) & (s * sigma < self.sigma), noisy, seen)
        blended = torch.where(s * sigma > self.sigma, known, blended)
        return unknown + self.spectrum.synthesise(blended - seen)

    def _spread(self, share: float, sigma: float) -> Tensor:
        """Return the noise that is missing beside a share of the measurement's, for each singular value."""
        return (sigma**2 - (share * self.sigma / _divisor(self.spectrum.s)).square()).clamp(min=0).sqrt()


def sample(
    clean: Callable[[Tensor, int], Tensor],
    blend: Blend,
    read: Callable[[Tensor], Tensor],
    z: Tensor,
    sigmas: list[float],
    noise: Callable[[], Tensor],
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the state, `x + sigma n`, and the clean estimate that led to it, after each step.

    * `clean`: predicts the clean image from a state and the number of its step.
    * `blend`: makes the next state.
    * `read`: returns `U' y`; it is given the clean estimate, for what the spectrum does not describe.
    * `z`: the first state, `b c h w`.
    * `sigmas`: the noises of the states, down to 0.
    * `noise`: draws noise of the shape of the state.
    """
    for step, (here, after) in enumerate(itertools.pairwise(sigmas)):
        x = clean(z, step)
        z = blend.next(read(x), x, (z - x) / here, noise(), after)
        yield z, x


class DDRM:
    """Restores by a prior and the singular values of the operator.

    * `network`, `schedule`, `objective`: the prior.
    * `task`: the name of the task.
    * `steps`: the evaluations of the network.
    * `eta`, `eta_a`, `eta_b`: see `Blend`; in the paper `eta` is 0.85.
    * `noise`: the standard deviation of the noise in levels of 255, if it is known and the task does not tell it.
    """

    def __init__(
        self,
        *,
        network: Network,
        schedule: NoiseSchedule,
        objective: Objective,
        task: str,
        steps: int = 20,
        eta: float = 1.0,
        eta_a: float = 0.85,
        eta_b: float = 1.0,
        noise: float | None = None,
    ) -> None:
        if steps < 1 or not all(0 <= share <= 1 for share in (eta, eta_a, eta_b)):
            raise ValueError(f"steps must be at least 1 and each eta in [0, 1], not {steps}, {eta}, {eta_a}, {eta_b}")
        self.prior = Prior(network=network, schedule=schedule, objective=objective)
        self.task, self.steps, self.noise = task, steps, noise
        self.eta, self.eta_a, self.eta_b = eta, eta_a, eta_b

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the clean estimate of every step, `1 c h w`. Raises `ValueError` where there are no singular values."""
        return self.prior.in_full_precision(self._sample(observation, rng), observation.y.device)

    def _sample(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the clean estimates along the singular directions of the operator, `1 c h w` (equations 7 and 8)."""
        problem = pose(observation, self.task, self.noise)
        spectrum, read = reading(problem)
        times = problem.times(self.prior, self.steps)
        sigmas, noise = self.prior.sigmas(times), drawing(problem.guess, rng)
        blend = Blend(spectrum=spectrum, sigma=problem.sigma, eta=self.eta, eta_a=self.eta_a, eta_b=self.eta_b)
        z = problem.guess
        if not problem.noisy:
            z = blend.first(read(z), z, noise(), sigmas[0])
        for _, x in sample(lambda z, step: self.prior.clean(z, times[step]), blend, read, z, sigmas, noise):
            yield x


def reading(problem: Problem) -> tuple[Spectrum, Callable[[Tensor], Tensor]]:
    """Return the spectrum of a problem, and how its measurement is read. Raises `ValueError` if there is none.

    Pictures that were blurred do not go on at their opposite border, as `Circular` has it. So what it reads is what it
    predicts of the estimate plus what the true blur leaves unexplained, which is faded out at the border.
    """
    operator, y, guess = problem.operator, problem.y, problem.guess
    if not isinstance(operator, Convolution):
        spectrum = spectrum_of(operator, guess)
        if spectrum is None:
            raise ValueError(f"the singular values of a {type(operator).__name__} are not known; take diffpir or dps")
        constant = spectrum.read(y)
        return spectrum, lambda x: constant
    circular = Circular(operator.kernel.to(y), (guess.shape[-2], guess.shape[-1]))
    circular.s = torch.where(circular.s < LEAST, 0.0, circular.s)
    rows, columns = (_fade(n, k // 2).to(y) for n, k in zip(guess.shape[-2:], operator.kernel.shape[-2:], strict=True))
    window = rows[:, None] * columns
    return circular, lambda x: circular.read(circular(x) + window * (y - operator(x)))


def _fade(length: int, radius: int) -> Tensor:
    """Return a window that rises from 0 to 1 between a quarter and half of a kernel's radius from both ends."""
    distance = torch.minimum(torch.arange(length), torch.arange(length - 1, -1, -1)) + 0.5
    rise = ((distance - radius / 4) / max(radius / 4, 0.5)).clamp(0, 1)
    return rise.square() * (3 - 2 * rise)


def _divisor(s: Tensor) -> Tensor:
    """Return singular values to divide by, where those of 0 are 1: what comes of them is not used."""
    return torch.where(s > 0, s, 1.0)
