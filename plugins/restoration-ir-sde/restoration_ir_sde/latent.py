"""Latent Refusion: IR-SDE between the latents of two pictures, which are small where pictures are large.

Luo et al., "Refusion: Enabling Large-Size Realistic Image Restoration with Latent-Space Diffusion Models", CVPR
Workshops 2023, arXiv:2304.08291. The latent of a picture contains its damage; what it does not contain is taken from
the degraded picture unchanged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import torch
from einops import rearrange, reduce
from torch import nn

from restoration_ir_sde.objectives import CleanMatching, EulerMatching, Matching, NoiseMatching, Norm, PosteriorMean
from restoration_ir_sde.restorers import IRSDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from restoration import Network, NoiseSchedule, Objective, Observation, RowGenerators, Sampler

Kind = Literal["clean", "noise", "posterior-mean", "euler"]
Stage = Literal["both", "autoencoder", "denoiser"]
MATCHINGS: dict[Kind, type[Matching]] = {
    "clean": CleanMatching,
    "noise": NoiseMatching,
    "posterior-mean": PosteriorMean,
    "euler": EulerMatching,
}


@runtime_checkable
class LatentNetwork(Protocol):
    """An autoencoder and a denoiser of its latents in one network: called with latents, it denoises them."""

    latent_channels: int

    def encode(self, x: Tensor) -> tuple[Tensor, Any]:
        """Return the latent `b latent_channels h' w'` of pictures `b c h w`, and what it does not contain."""
        ...

    def decode(self, latent: Tensor, hidden: Any) -> Tensor:
        """Return pictures `b c h w` from latents and what those of other pictures do not contain."""
        ...


class Pixels:
    """The latents of a network that has none: the pictures themselves."""

    latent_channels = 0

    def encode(self, x: Tensor) -> tuple[Tensor, None]:
        """Return the picture."""
        return x, None

    def decode(self, latent: Tensor, hidden: None) -> Tensor:
        """Return the picture."""
        return latent


def latents_of(network: Network) -> LatentNetwork:
    """Return the part of a network that encodes and decodes, inside whatever wraps it; without one, `Pixels`."""
    inside = network.modules() if isinstance(network, nn.Module) else ()
    return next((module for module in inside if isinstance(module, LatentNetwork)), Pixels())


class LatentIRSDE(IRSDE):
    """Encodes the degraded picture, samples the clean latent, and decodes it.

    What the latent does not contain is that of the degraded picture. A network without latents is used as by `IRSDE`.

    * `network`, `schedule`, `objective`, `sampler`: the parts of the method.
    * `steps`: the number of evaluations of the network.
    * `previews`: whether every estimate is decoded, not just the last; decoding takes longer than a step.
    """

    def __init__(
        self,
        *,
        network: Network,
        schedule: NoiseSchedule,
        objective: Objective,
        sampler: Sampler,
        steps: int = 10,
        previews: bool = False,
    ) -> None:
        super().__init__(network=network, schedule=schedule, objective=objective, sampler=sampler, steps=steps)
        self.previews = previews

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the clean estimate of the last step, or of every one, `b c h w`."""
        latents = latents_of(self.network)
        degraded, hidden = latents.encode(observation.y)
        estimate = degraded
        for estimate in super().__call__(replace(observation, y=degraded), rng):
            if self.previews:
                yield latents.decode(estimate, hidden)
        if not self.previews:
            yield latents.decode(estimate, hidden)


class LatentMatching:
    """Trains an autoencoder by latent replacing, and a denoiser on the path between its latents.

    Latent replacing: the degraded picture must be decoded from its own latent, and the clean one from its latent with
    what that of the degraded one does not contain. No gradient of the denoiser reaches the autoencoder. With a network
    without latents only the matching is left, between pictures.

    * `matching`: what the denoiser is trained to predict.
    * `norm`: whether errors are absolute or squared.
    * `rectification`: see `CleanMatching`; only for the matching "clean".
    * `stage`: "both" trains the two at once; "autoencoder" or "denoiser" trains one and leaves the other unchanged.
    * `regular`: the weight of the distances of mean and standard deviation of a latent from the mean and half the
      standard deviation of its picture.
    * `swap`: whether the two pictures change places for half of the rows.
    """

    def __init__(
        self,
        *,
        matching: Kind = "clean",
        norm: Norm = "l1",
        rectification: float = 0.0,
        stage: Stage = "both",
        regular: float = 0.001,
        swap: bool = True,
    ) -> None:
        if rectification and matching != "clean":
            raise ValueError(f"rectification is for the matching clean, not for {matching}")
        self.matching: Matching = (
            CleanMatching(norm=norm, rectification=rectification)
            if matching == "clean"
            else MATCHINGS[matching](norm=norm)
        )
        self.stage, self.regular, self.swap = stage, regular, swap

    def loss(self, network: Network, schedule: NoiseSchedule, x: Tensor, y: Tensor, rng: RowGenerators) -> Tensor:
        """Return one loss an image, `b`: of the autoencoder, of the denoiser at random times, or their sum.

        Raises `ValueError` if there is no autoencoder to train.
        """
        latents = latents_of(network)
        if isinstance(latents, Pixels):
            if self.stage == "autoencoder":
                raise ValueError("the stage autoencoder needs a network with latents, such as latent-pair")
            return self.matching.loss(network, schedule, x, y, rng)
        if self.stage == "denoiser":
            with torch.no_grad():
                clean, degraded = latents.encode(x)[0], latents.encode(y)[0]
            return self.matching.loss(network, schedule, clean, degraded, rng)
        loss, clean, degraded = self.replacing(latents, x, y, rng)
        if self.stage == "both":
            loss = loss + self.matching.loss(network, schedule, clean, degraded, rng)
        return loss

    def replacing(
        self, latents: LatentNetwork, x: Tensor, y: Tensor, rng: RowGenerators
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the loss of latent replacing, `b`, and the latents of `x` and `y`, without a gradient."""
        swapped = (rng.uniform(1, 1, 1) < 0.5 * self.swap).to(x.device, non_blocking=True)
        kept, other = torch.where(swapped, x, y), torch.where(swapped, y, x)
        latent, hidden = latents.encode(kept)
        replaced, _ = latents.encode(other)
        loss = self.matching.mean(latents.decode(latent, hidden) - kept)
        loss = loss + self.matching.mean(latents.decode(replaced, hidden) - other)
        if self.regular:
            (mean, spread), (picture_mean, picture_spread) = moments(latent), moments(kept)
            loss = loss + self.regular * ((mean - picture_mean).abs() + (spread - picture_spread / 2).abs())
        latent, replaced = latent.detach(), replaced.detach()
        return loss, torch.where(swapped, latent, replaced), torch.where(swapped, replaced, latent)

    def clean(self, network: Network, schedule: NoiseSchedule, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Return the clean latent, or picture, that the network predicts from a state: `b c h w`."""
        return self.matching.clean(network, schedule, x_t, y, t)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of each of `b c h w`, both `b`; the latter has a gradient at 0 too."""
    mean = reduce(x, "b c h w -> b", "mean")
    variance = reduce((x - rearrange(mean, "b -> b 1 1 1")).square(), "b c h w -> b", "mean")
    return mean, (variance + 1e-12).sqrt()
