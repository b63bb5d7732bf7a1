"""The methods: pictures drawn from noise, and noisy pictures denoised from the time of their noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch

from restoration.noise_level import estimate_sigma
from restoration.sampling import drawing
from restoration_ddpm.untrained import Quality, UntrainedPrior

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Generator, Tensor

    from restoration import Network, NoiseSchedule, Objective, Observation, RowGenerators, Sampler

Prior = Literal["none", "start", "naive"]

LEAST = 0.5 / 255
"""Noise of at most this standard deviation counts as none, so that there is one step."""
BISECTIONS = 40
"""Halvings of [0, 1] until a time is exact to the precision of float32."""


class DDPM:
    """Denoising diffusion (Ho et al., NeurIPS 2020, arXiv:2006.11239): a network that knows what pictures look like.

    `sample` draws pictures from noise. Called with an observation it denoises: a picture with Gaussian noise is, but
    for its contrast, a state of the path, and sampling starts there. Unknown noise is estimated from the picture.

    * `network`, `schedule`, `objective`, `sampler`: the parts of its recipe.
    * `steps`: the number of evaluations of the network; one alone gives the mean of all likely pictures, which has the
      highest PSNR and is blurred where they differ.
    * `clip`: whether every clean estimate is clipped to black and white, as published.
    * `grey`: the picture that new ones are drawn around where no other is known: 0, or 0.5 for networks that see
      pictures in [-1, 1].
    * `prior`: how Deep Image Prior takes part. With "start" it denoises the picture first, and sampling starts from its
      result plus new noise: `x_t = a DIP(y) + c n`. With "naive" the network is shown what Deep Image Prior makes of
      each state in place of the state. That is an ablation: the noise that the network is to predict is gone.
    * `renoise`: the new noise of "start", as a share of the noise of the picture.
    * `quality`, `dip_steps`: the settings of Deep Image Prior, and the most steps of each of its fits.
    """

    def __init__(
        self,
        *,
        network: Network,
        schedule: NoiseSchedule,
        objective: Objective,
        sampler: Sampler,
        steps: int = 50,
        clip: bool = True,
        grey: float = 0.0,
        prior: Prior = "none",
        renoise: float = 1.0,
        quality: Quality = "fast",
        dip_steps: int | None = None,
    ) -> None:
        if steps < 1 or renoise <= 0:
            raise ValueError(f"steps must be at least 1 and renoise above 0, not {steps} and {renoise}")
        self.network, self.schedule, self.objective, self.sampler = network, schedule, objective, sampler
        self.steps, self.clip, self.grey, self.prior, self.renoise = steps, clip, grey, prior, renoise
        self.untrained = None if prior == "none" else UntrainedPrior(quality=quality, steps=dip_steps)
        self.told: dict[str, Any] = {}

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the clean estimate of every step, `b c h w`. Raises `ValueError` for a map of the noise."""
        y, sigma = observation.y, observation.sigma
        if isinstance(sigma, torch.Tensor):
            raise ValueError("it takes noise of one strength, not a map of it")
        sigma = max(LEAST, estimate_sigma(y) if sigma is None else sigma)
        noise = drawing(y, rng)
        if self.prior == "start" and self.untrained is not None:
            start = time_of(self.schedule, sigma * self.renoise)
            begin = self.untrained(y, sigma, rng)
            yield begin
            a, b, c = self._curves(start)
            x_t = begin * (a + b) + noise() * c
        else:
            start = time_of(self.schedule, sigma)
            a, b, _ = self._curves(start)
            x_t = y * (a + b)
        self.told = {"started at": f"t={start:.3f}"}
        yield from self._sample(x_t, y, start, noise, rng)

    def sample(
        self, rng: RowGenerators, channels: int, height: int, width: int, device: torch.device | str = "cpu"
    ) -> Iterator[Tensor]:
        """Yield the clean estimates of every step, `b c h w`, of pictures drawn from noise, one for each row of `rng`.

        A picture depends on its own generator alone: not on how many are drawn beside it.
        """

        def noise() -> Tensor:
            return rng.normal(channels, height, width).to(device)

        y = torch.full((len(rng), channels, height, width), 0.5, device=device)
        a, b, c = self._curves(1.0)
        yield from self._sample(noise() * c + y * b + a * self.grey, y, 1.0, noise)

    def _sample(
        self, x_t: Tensor, y: Tensor, start: float, noise: Callable[[], Tensor], rng: Generator | None = None
    ) -> Iterator[Tensor]:
        """Yield the clean estimates from a state `b c h w` at the time `start` down to 0."""

        def clean(x_t: Tensor, t: Tensor) -> Tensor:
            if self.prior == "naive" and self.untrained is not None and rng is not None:
                x_t = self._without_noise(x_t, float(t), self.untrained, rng)
            x = self.objective.clean(self.network, self.schedule, x_t, y, t)
            return x.clamp(0, 1) if self.clip else x

        for _, estimate in self.sampler(clean, self.schedule, x_t, y, start * self.schedule.steps(self.steps), noise):
            yield estimate

    def _without_noise(self, x_t: Tensor, t: float, untrained: UntrainedPrior, rng: Generator) -> Tensor:
        """Return what Deep Image Prior makes of a state, which it is shown at the contrast of a picture."""
        a, b, c = self._curves(t)
        return untrained(x_t / (a + b), c / (a + b), rng) * (a + b)

    def _curves(self, t: float) -> tuple[float, float, float]:
        return curves(self.schedule, t)


def curves(schedule: NoiseSchedule, t: float) -> tuple[float, float, float]:
    """Return `a`, `b` and `c` at one time."""
    a, b, c = (float(curve) for curve in schedule.at(torch.tensor(t, dtype=torch.float64)))
    return a, b, c


def time_of(schedule: NoiseSchedule, sigma: float) -> float:
    """Return the time at which a state has noise `sigma` for a picture in [0, 1]; the end of the path if it has less.

    That is where `c / (a + b)` is `sigma`.
    """
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        a, b, c = curves(schedule, middle)
        low, high = (middle, high) if c < sigma * (a + b) else (low, middle)
    return high
