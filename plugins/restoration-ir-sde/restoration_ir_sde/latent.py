"""Latent Refusion: the walk of IR-SDE between the latents of two pictures, which are small where pictures are large.

Luo et al., "Refusion: Enabling Large-Size Realistic Image Restoration with Latent-Space Diffusion Models", CVPR
Workshops 2023, arXiv:2304.08291. A latent says what a picture lost, and what is hidden beside it is taken from the
degraded picture as it is.
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
        """Return the latent of a picture `b c h w`, `b latent_channels h' w'`, and what it leaves out."""
        ...

    def decode(self, latent: Tensor, hidden: Any) -> Tensor:
        """Return the picture of a latent, `b c h w`, with what another encoding left out."""
        ...


class Pixels:
    """The latents of a network that has none: the pictures themselves, with nothing left out."""

    latent_channels = 0

    def encode(self, x: Tensor) -> tuple[Tensor, None]:
        """Return the picture."""
        return x, None

    def decode(self, latent: Tensor, hidden: None) -> Tensor:
        """Return the picture."""
        return latent


def latents_of(network: Network) -> LatentNetwork:
    """Return what encodes and decodes for a network, found inside of whatever wraps it; else the pixels as they are."""
    inside = network.modules() if isinstance(network, nn.Module) else ()
    return next((module for module in inside if isinstance(module, LatentNetwork)), Pixels())


class LatentIRSDE(IRSDE):
    """Encodes the degraded picture, walks to the clean latent in `steps` evaluations, and decodes it.

    What the latent leaves out is that of the degraded picture. A network without latents walks between pictures, as
    `IRSDE` does.

    * `network`, `schedule`, `objective`, `sampler`: the parts of the walk.
    * `steps`: evaluations of the network.
    * `previews`: whether every estimate is decoded, which costs more than a step does, and not only the last.
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
    """Trains an autoencoder with latent replacing, and a denoiser on the path between its latents, which stay put.

    Latent replacing: the degraded picture must come back from its own latent, and the clean one from its latent with
    what the degraded one hides. No gradient of the denoiser reaches the autoencoder, so both can be trained in one go.
    With a network without latents all that is left is the matching, between pictures.

    * `matching`: what the denoiser is trained to predict.
    * `norm`: whether errors are absolute or squared.
    * `rectification`: that of `CleanMatching`, for the matching "clean".
    * `stage`: "both", or the half that is trained, "autoencoder" or "denoiser", while the other stays as it is.
    * `regular`: weight of how far mean and spread of a latent are from those of its picture and from half of them.
    * `swap`: whether clean and degraded picture change places for half of the pairs.
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
        """Return one loss an image, `b`: of the autoencoder, of the denoiser at random places, or their sum.

        Raises `ValueError` where there is no autoencoder to train.
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
        """Return the clean latent, or picture, as the network sees it from a state: `b c h w`."""
        return self.matching.clean(network, schedule, x_t, y, t)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of each of `b c h w`, both `b`; the latter can be derived at 0 too."""
    mean = reduce(x, "b c h w -> b", "mean")
    variance = reduce((x - rearrange(mean, "b -> b 1 1 1")).square(), "b c h w -> b", "mean")
    return mean, (variance + 1e-12).sqrt()
