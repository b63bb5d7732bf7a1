"""Noise: Gaussian, of a sensor, as cameras store it, and impulses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch

from restoration import BadOption, Observation
from restoration.picture import round_to_levels
from restoration_tasks.camera import log_uniform, photograph
from restoration_tasks.drawing import between, uniform
from restoration_tasks.maps import read_map

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from restoration import Picture

Kind = Literal["gaussian", "poisson-gaussian", "impulse", "camera", "mixed"]
KINDS = ("gaussian", "poisson-gaussian", "impulse", "camera")
_, SENSOR, IMPULSE, CAMERA = range(len(KINDS))
"""The kinds by their numbers in a batch of mixed noise."""
SHARES = (0.55, 0.1, 0.1, 0.25)
"""The share of each kind in "mixed" noise."""


class Noise:
    """Adds noise to pictures, to each with a strength of its own. A range is drawn from uniformly.

    * `sigma`: the standard deviation of Gaussian noise, in levels of 255, or a map of it for every pixel, see
      `read_map`: a file, an array, a tensor or an image; from 0 to 75 if it is None.
    * `kind`: "gaussian", independent normal noise of standard deviation `sigma`; "poisson-gaussian", noise of variance
      `gain * x + sigma**2` for x in [0, 1], as a sensor has it (Foi et al., "Practical Poissonian-Gaussian Noise
      Modeling", 2008), with a sigma of at most 10; "impulse", which makes a share of the values black or white;
      "camera", noise of a sensor in linear light that went through mosaic, tone curve and JPEG, see `photograph`; or
      "mixed", one of the four for each picture, mostly the first.
    * `gain`: the strength of Poisson-Gaussian noise.
    * `impulse`: the share of the values that impulses replace.
    * `camera_gain`: the strength of camera noise, drawn by its logarithm.
    * `clipped`: the share of the pictures that are clipped to black and white and rounded to 256 levels, as in a file.

    The others are neither clipped nor rounded, as in the literature on denoising; those of "camera" always are.
    """

    def __init__(
        self,
        *,
        sigma: float | tuple[float, float] | str | Any | None = None,
        kind: Kind = "gaussian",
        gain: float | tuple[float, float] = (0.0, 0.06),
        impulse: float | tuple[float, float] = (0.0, 0.3),
        camera_gain: float | tuple[float, float] = (0.0003, 0.02),
        clipped: float = 0.0,
    ) -> None:
        number = sigma if isinstance(sigma, (int, float, tuple)) else None
        self.map = sigma if number is None else None
        if self.map is not None and kind != "gaussian":
            raise ValueError(f"a map of sigma is for noise of the kind gaussian, not {kind}")
        self.range = isinstance(number, tuple)
        self.sigma = between("sigma", (0.0, 75.0) if number is None else number, 0, 255)
        self.known = float(number) if isinstance(number, (int, float)) and kind == "gaussian" else None
        self.gain, self.impulse = between("gain", gain, 0, 1), between("impulse", impulse, 0, 1)
        self.camera_gain = between("camera_gain", camera_gain, 1e-6, 1)
        self.kind, self.clipped = kind, between("clipped", clipped, 0, 1)[0]

    def __call__(self, x: Tensor, rng: Generator) -> Tensor:
        """Return noisy pictures, `b c h w`, for clean ones."""
        batch = x.shape[0]
        strength, gain, share = (uniform(batch, *limits, rng) for limits in (self.sigma, self.gain, self.impulse))
        drawn = uniform(batch, 0, 1, rng)
        noise = torch.randn(x.shape, generator=rng)
        mixed = torch.bucketize(drawn, torch.tensor(SHARES[:-1]).cumsum(0))
        kind = mixed if self.kind == "mixed" else torch.full_like(mixed, KINDS.index(self.kind))
        sensor = (gain * x.clamp(min=0) + (strength.clamp(max=10) / 255) ** 2).sqrt()
        white = strength / 255 if self.map is None else self._read_map(x)
        y = x + torch.where(kind == SENSOR, sensor, white) * noise
        if self.kind in ("impulse", "mixed"):
            wrong = torch.rand(x.shape, generator=rng)
            y = torch.where(kind == IMPULSE, torch.where(wrong < share, (wrong < share / 2).to(x), x), y)
        camera = kind.flatten() == CAMERA
        if bool(camera.any()):
            y[camera] = photograph(x, log_uniform(batch, *self.camera_gain, rng), rng, camera)
        if self.clipped:
            y = torch.where(uniform(batch, 0, 1, rng) < self.clipped, round_to_levels(y), y)
        return y

    def observe(self, x: Tensor, rng: Generator) -> Observation:
        """Return noisy pictures and, if `sigma` is one number, the strength of the noise."""
        return self._observe_noisy(self(x, rng))

    def describe(self, picture: Picture) -> Observation:
        """Return what is known about a noisy picture: the strength of its noise, if `sigma` is one number or a map.

        Raises `BadOption` for a range, which is not that of a picture.
        """
        if self.range:
            low, high = (f"{one:g}" for one in self.sigma)
            raise BadOption(f"the noise of a picture is one number or a map, not between {low} and {high}")
        return self._observe_noisy(picture.pixels)

    def _observe_noisy(self, y: Tensor) -> Observation:
        if self.map is not None:
            return Observation(y=y, sigma=self._read_map(y))
        return Observation(y=y, sigma=None if self.known is None else self.known / 255)

    def _read_map(self, y: Tensor) -> Tensor:
        return read_map(self.map, (y.shape[-2], y.shape[-1]))
