"""Deep Image Prior for `restoration`: cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import CommandOption, NetworkCard, RestorerCard, hookimpl

TASKS = ("denoise", "inpaint", "sr", "jpeg", "deblur")
"""Those whose damage is an operator that can be known, or noise."""


@hookimpl
def register_networks() -> Iterable[NetworkCard]:
    """Bring the networks that are fitted to single pictures, for every method.

    `bytes_per_pixel` was measured: the peak of one evaluation at 512x512 in float32, with the default options.
    """
    yield NetworkCard(
        name="skip",
        factory="restoration_dip.networks.skip:SkipNet",
        summary="the hourglass with skips of Deep Image Prior; 2.2 million parameters",
        source="Ulyanov et al. 2018, arXiv:1711.10925",
        bytes_per_pixel=3000,
        tiles=False,
    )
    yield NetworkCard(
        name="dip-unet",
        factory="restoration_dip.networks.unet:UNet",
        summary="the U-Net of Deep Image Prior, batch norm on the way down only; 2.2 million parameters",
        source="Ulyanov et al. 2018, arXiv:1711.10925",
        bytes_per_pixel=800,
        reach=144,
    )
    yield NetworkCard(
        name="resnet18",
        factory="restoration_dip.networks.resnet18:ResNet18",
        summary="the blocks of ResNet-18 with a way back to full size; 3 million parameters",
        source="after He et al. 2016, arXiv:1512.03385",
        bytes_per_pixel=900,
        reach=80,
    )


@hookimpl
def register_restorers() -> Iterable[RestorerCard]:
    """Bring the methods."""
    yield RestorerCard(
        name="dip",
        factory="restoration_dip.prior:DeepImagePrior",
        summary="an untrained network is fitted to the picture alone, and stopped before it fits the damage",
        source="Ulyanov et al. 2018, arXiv:1711.10925",
        tasks=TASKS,
        needs_weights=False,
        anytime=True,
        asks=(
            CommandOption(name="quality", help="how long and how well", values=("fast", "balanced", "paper")),
            CommandOption(
                name="stop", help="when", values=("held-out", "moving-variance", "averaged-variance", "none")
            ),
            CommandOption(name="flash", help="a picture of the same scene with flash, to begin with", values="file"),
        ),
        defaults={"network": {"name": "skip"}},
    )
    yield RestorerCard(
        name="dip-staged",
        factory="restoration_dip.staged:StagedDeepImagePrior",
        summary="Deep Image Prior through the noise levels of a diffusion: it ends where the stages end",
        source="after Ulyanov et al. 2018, arXiv:1711.10925, and Ho et al. 2020, arXiv:2006.11239",
        tasks=TASKS,
        needs_weights=False,
        anytime=True,
        asks=(
            CommandOption(name="perceptual", help="weight of the distance in features; 0 if not said"),
            CommandOption(name="features", help="of that", values=("vgg16", "vgg19", "vgg16-random", "laplacian")),
        ),
        defaults={
            "network": {"name": "skip"},
            "schedule": {"name": "ddpm", "options": {"kind": "linear", "beta_min": 0.001, "beta_max": 0.01, "T": 10}},
        },
    )
