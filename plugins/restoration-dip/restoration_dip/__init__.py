"""Deep Image Prior for `restoration`: cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import CommandOption, LayoutCard, NetworkCard, RestorerCard, hookimpl

TASKS = ("denoise", "inpaint", "sr", "jpeg", "deblur")
"""The tasks of which the damage is a known operator, or noise."""


@hookimpl
def register_networks() -> Iterable[NetworkCard]:
    """Bring the networks that are fitted to single pictures, for every method.

    `bytes_per_pixel` was measured: the peak of one evaluation at 512x512 in float32, with the default options.
    """
    yield NetworkCard(
        name="skip",
        factory="restoration_dip.networks.skip:SkipNet",
        summary="hourglass network with skips, of Deep Image Prior; 2.2 million parameters",
        source="Ulyanov et al. 2018, arXiv:1711.10925",
        bytes_per_pixel=3000,
        tiles=False,
    )
    yield NetworkCard(
        name="dip-unet",
        factory="restoration_dip.networks.unet:UNet",
        summary="U-Net of Deep Image Prior, with batch norm in the encoder only; 2.2 million parameters",
        source="Ulyanov et al. 2018, arXiv:1711.10925",
        bytes_per_pixel=800,
        reach=144,
    )
    yield NetworkCard(
        name="resnet18",
        factory="restoration_dip.networks.resnet18:ResNet18",
        summary="ResNet-18 with a decoder back to full size; 3 million parameters",
        source="after He et al. 2016, arXiv:1512.03385",
        bytes_per_pixel=900,
        reach=80,
    )


@hookimpl
def register_layouts() -> Iterable[LayoutCard]:
    """Bring the recognition of files of the original, which are of one picture each."""
    yield LayoutCard(
        name="dip",
        factory="restoration_dip.published:PublishedLayout",
        summary="files of the original Deep Image Prior, named and refused: they restore one picture each",
        source="Ulyanov et al. 2018, arXiv:1711.10925",
    )


@hookimpl
def register_restorers() -> Iterable[RestorerCard]:
    """Bring the methods."""
    yield RestorerCard(
        name="dip",
        factory="restoration_dip.prior:DeepImagePrior",
        summary="Deep Image Prior: an untrained network is fitted to the picture and stopped before it fits the damage",
        source="Ulyanov et al. 2018, arXiv:1711.10925",
        tasks=TASKS,
        needs_weights=False,
        uses=("operator", "sigma"),
        anytime=True,
        ensembles=False,
        asks=(
            CommandOption(
                name="quality",
                help="a quick result, a good one, or the settings of the paper; balanced by default",
                values=("fast", "balanced", "paper"),
            ),
            CommandOption(
                name="stop",
                help="rule for early stopping; by default that of --quality",
                values=("held-out", "moving-variance", "averaged-variance", "none"),
            ),
            CommandOption(
                name="flash", help="file of the same scene taken with flash, which the fit starts from", values="file"
            ),
        ),
        defaults={"network": {"name": "skip"}},
    )
    yield RestorerCard(
        name="dip-staged",
        factory="restoration_dip.staged:StagedDeepImagePrior",
        summary="Deep Image Prior along the noise levels of a diffusion schedule, a fixed number of steps for each",
        source="after Ulyanov et al. 2018, arXiv:1711.10925, and Ho et al. 2020, arXiv:2006.11239",
        tasks=TASKS,
        needs_weights=False,
        uses=("operator",),
        anytime=True,
        ensembles=False,
        asks=(
            CommandOption(name="perceptual", help="weight of a feature distance in the loss; 0 by default"),
            CommandOption(
                name="features",
                help="features that --perceptual compares; vgg16 by default",
                values=("vgg16", "vgg19", "vgg16-random", "efficientnet-lite0", "laplacian"),
            ),
        ),
        defaults={
            "network": {"name": "skip"},
            "schedule": {"name": "ddpm", "options": {"kind": "linear", "beta_min": 0.001, "beta_max": 0.01, "T": 10}},
        },
    )
