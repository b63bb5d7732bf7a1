"""Noise2Noise for `restoration`: cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import (
    CommandOption,
    LayoutCard,
    Limits,
    NetworkCard,
    ObjectiveCard,
    RestorerCard,
    TaskCard,
    WeightsCard,
    hookimpl,
)

PAPER = "Lehtinen et al. 2018, arXiv:1803.04189"


@hookimpl
def register_networks() -> Iterable[NetworkCard]:
    """Bring the published networks.

    `bytes_per_pixel` was measured: the peak of one evaluation at 512x512 in float32, with the default options.
    """
    yield NetworkCard(
        name="n2n-unet",
        factory="restoration_noise2noise.networks:StackUNet",
        summary="U-Net of Noise2Noise, loads the authors' weights; 1 million parameters",
        source=PAPER,
        bytes_per_pixel=1700,
        reach=158,
    )
    yield NetworkCard(
        name="n2n-unet-shared",
        factory="restoration_noise2noise.networks:SharedUNet",
        summary="U-Net of noise2noise-pytorch, loads its published weights; 0.7 million parameters",
        source=f"after {PAPER}",
        bytes_per_pixel=1700,
        reach=189,
    )
    yield NetworkCard(
        name="zs-n2n",
        factory="restoration_noise2noise.networks:TwoLayers",
        summary="two small layers that predict noise, of Zero-Shot Noise2Noise; 22 thousand parameters",
        source="Mansour and Heckel 2023, arXiv:2303.11253",
        bytes_per_pixel=800,
        reach=2,
    )


@hookimpl
def register_layouts() -> Iterable[LayoutCard]:
    """Bring the recognition of published files."""
    yield LayoutCard(
        name="noise2noise",
        factory="restoration_noise2noise.published:PublishedLayout",
        summary="files of noise2noise-pytorch, and variables of the authors' code",
        source=PAPER,
        parts={"task": ("denoise",)},
    )


@hookimpl
def register_objectives() -> Iterable[ObjectiveCard]:
    """Bring the objectives that need no clean picture."""
    yield ObjectiveCard(
        name="noise2noise",
        factory="restoration_noise2noise.objectives:PairMatching",
        summary="the network predicts one noisy picture from another of the same scene, and so the clean one",
        source=PAPER,
        path=False,
        learns_from="pairs",
    )
    yield ObjectiveCard(
        name="neighbor2neighbor",
        factory="restoration_noise2noise.objectives:NeighbourMatching",
        summary="the same with two pictures of half the size that are drawn from one noisy picture",
        source="Huang et al. 2021, arXiv:2101.02824",
        path=False,
        learns_from="degraded",
    )


@hookimpl
def register_restorers() -> Iterable[RestorerCard]:
    """Bring the methods."""
    yield RestorerCard(
        name="noise2noise",
        factory="restoration_noise2noise.restorer:Noise2Noise",
        summary="one evaluation of a network that was trained on noisy pictures alone",
        source=PAPER,
        uses=(),
        draws=False,
        defaults={"network": {"name": "unet-dense"}, "objective": {"name": "noise2noise"}},
    )
    yield RestorerCard(
        name="zs-n2n",
        factory="restoration_noise2noise.zero_shot:ZeroShot",
        summary="Zero-Shot Noise2Noise: a very small network is fitted to the picture, in seconds",
        source="Mansour and Heckel 2023, arXiv:2303.11253",
        tasks=("denoise",),
        ensembles=False,
        needs_weights=False,
        uses=(),
        anytime=True,
        asks=(
            CommandOption(
                name="quality",
                help="a quick result, a good one, or the settings of the paper; balanced by default",
                values=("fast", "balanced", "paper"),
            ),
        ),
        defaults={"network": {"name": "zs-n2n"}},
    )


@hookimpl
def register_tasks() -> Iterable[TaskCard]:
    """Bring the damage of the paper's experiments."""
    yield TaskCard(
        name="corruption",
        factory="restoration_noise2noise.corruptions:Corruption",
        summary="remove what Noise2Noise was shown: Gaussian noise, shot noise, impulses of any colour, writing",
        source=PAPER,
        limits=Limits(structure=0.05),
        asks=(
            CommandOption(
                name="kind",
                help="kind of damage that is drawn",
                values=("gaussian", "poisson", "impulse", "text", "mixed"),
            ),
            CommandOption(name="photons", help="photons that white stands for, drawn from 10 to 100 by default"),
            CommandOption(name="impulse", help="share of pixels of a random colour, drawn from 0 to 0.7 by default"),
            CommandOption(name="text", help="share of pixels under words, drawn from 0 to 0.3 by default"),
        ),
    )


@hookimpl
def register_weights() -> Iterable[WeightsCard]:
    """Bring the weights that we trained."""
    yield WeightsCard(
        name="noise2noise/denoise",
        factory="restoration_noise2noise:weights/denoise",
        summary="dense U-Net, trained on noisy pictures alone, Gaussian noise of sigma 2 to 50; one evaluation",
        method="noise2noise",
        task="denoise",
        license="MIT",
    )
