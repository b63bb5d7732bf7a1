"""DDPM for `restoration`: cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from restoration import (
    CommandCard,
    CommandOption,
    LayoutCard,
    NetworkCard,
    RestorerCard,
    ScheduleCard,
    WeightsCard,
    hookimpl,
)

PAPER = "Ho et al. 2020, arXiv:2006.11239"

PARTS: dict[str, Mapping[str, Any]] = {
    "network": {"name": "unet-small", "options": {"width": 32, "multipliers": [1, 2, 2], "blocks": 1}},
    "schedule": {
        "name": "ddpm",
        "options": {"kind": "linear", "beta_min": 0.0001, "beta_max": 0.02, "T": 1000, "strength": 0.5},
    },
    "objective": {"name": "noise-matching", "options": {"norm": "l2"}},
    "sampler": {"name": "ddim"},
}
"""The published setting, with a network for small pictures."""
TRAINING = {"batch": 64, "ema": 0.999, "shrink": 0.0, "turns": "none", "held_out": 0}
"""Pictures are learned as they are, and not judged by PSNR, which says nothing of what is drawn."""


@hookimpl
def register_schedules() -> Iterable[ScheduleCard]:
    """Bring the schedule of DDPM."""
    yield ScheduleCard(
        name="ddpm",
        factory="restoration_ddpm.schedules:VariancePreserving",
        summary="DDPM, from the clean image to pure noise; linear, scaled-linear, sigmoid or cosine",
        source=PAPER,
        uses_y=False,
    )


@hookimpl
def register_networks() -> Iterable[NetworkCard]:
    """Bring the U-Nets of published code; what a network knows of its own size goes before what is said here."""
    yield NetworkCard(
        name="unet-lucidrains",
        factory="restoration_ddpm.networks.lucidrains:LucidrainsUNet",
        summary="U-Net of denoising-diffusion-pytorch, loads the published weights; 36 million parameters",
        source=PAPER,
        takes=("t",),
        tiles=False,
    )
    yield NetworkCard(
        name="unet-adm",
        factory="restoration_ddpm.networks.adm:ADMUNet",
        summary="U-Net of guided-diffusion (ADM), loads the published weights; 553 million parameters",
        source="Dhariwal and Nichol 2021, arXiv:2105.05233",
        takes=("t",),
        tiles=False,
    )
    yield NetworkCard(
        name="unet-ddim",
        factory="restoration_ddpm.networks.ddim:DDIMUNet",
        summary="U-Net of DDPM and DDIM, loads the published weights; 114 million parameters",
        source=f"{PAPER}; Song et al. 2021, arXiv:2010.02502",
        takes=("t",),
        tiles=False,
    )


@hookimpl
def register_layouts() -> Iterable[LayoutCard]:
    """Bring the recognition of published files."""
    yield LayoutCard(
        name="ddpm",
        factory="restoration_ddpm.files.layout:PublishedLayout",
        summary="files of denoising-diffusion-pytorch, guided-diffusion, improved-diffusion and DDIM",
        source=PAPER,
        parts={
            "method": ("ddpm",),
            "task": ("denoise",),
            "network": ("unet-lucidrains", "unet-adm", "unet-ddim"),
            "objective": ("symmetric-matching",),
            "sampler": ("ddim",),
        },
    )


@hookimpl
def register_restorers() -> Iterable[RestorerCard]:
    """Bring the methods."""
    yield RestorerCard(
        name="ddpm",
        factory="restoration_ddpm.restorers:DDPM",
        summary="denoising diffusion: learns what pictures look like; denoises, and draws new ones (`restore sample`)",
        source=PAPER,
        tasks=("denoise",),
        uses=("sigma",),
        defaults=PARTS,
        training=TRAINING,
        whole=True,
    )
    yield RestorerCard(
        name="ddpm-dip",
        factory="restoration_ddpm.restorers:DDPM",
        summary="denoising diffusion that starts from what Deep Image Prior makes of the picture; weights of ddpm",
        source="after Ho et al. 2020, arXiv:2006.11239, and Ulyanov et al. 2018, arXiv:1711.10925",
        tasks=("denoise",),
        uses=("sigma",),
        ensembles=False,
        asks=(
            CommandOption(
                name="prior",
                help="start from the result of Deep Image Prior; or, naive, show it to the network in place of the "
                "states, which hurts; start by default",
                values=("start", "naive"),
            ),
            CommandOption(
                name="renoise", help="noise added to the start, as a share of that of the picture; 1 by default"
            ),
        ),
        defaults={**PARTS, "method": {"name": "ddpm-dip", "options": {"prior": "start"}}},
        training=TRAINING,
        whole=True,
    )


@hookimpl
def register_commands() -> Iterable[CommandCard]:
    """Bring `restore sample`."""
    yield CommandCard(
        name="sample", factory="restoration_ddpm.command:sample", summary="Draw new pictures with weights of ddpm."
    )


@hookimpl
def register_weights() -> Iterable[WeightsCard]:
    """Bring the weights that we trained."""
    yield WeightsCard(
        name="ddpm/fashion-mnist",
        factory="restoration_ddpm:weights/fashion-mnist",
        summary="small U-Net, trained on Fashion-MNIST: draws and denoises grey pictures of clothes, 28x28",
        method="ddpm",
        task="denoise",
        license="MIT",
        default=False,
    )
