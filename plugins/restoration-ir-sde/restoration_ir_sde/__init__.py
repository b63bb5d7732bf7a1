"""IR-SDE for `restoration`: what this plugin brings. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import LayoutCard, ObjectiveCard, RestorerCard, ScheduleCard, WeightsCard, hookimpl

PAPER = "Luo et al. 2023, arXiv:2301.11699"
REFUSION = "Luo et al. 2023, arXiv:2304.08291"
PMRF = "Ohayon et al. 2024, arXiv:2410.00418"
TRAINED_ON = {
    "derain": "synthetic rain",
    "denoise": "Gaussian noise of sigma 0 to 75, the noise of cameras and impulses",
    "deblur": "camera shake and defocus",
    "sr": "MATLAB's bicubic at 2, 3 and 4",
    "inpaint": "strokes, boxes, writing and lost pixels",
    "dehaze": "the scattering model over random depths",
}
DRAWN = {"sr": (0.0, 19), "inpaint": (0.5, 10), "deblur": (0.0, 10), "derain": (0.0, 20)}
"""The tasks that have weights which draw, `ir-sde/TASK-real`: the realism of `ir-sde` by default, and the steps.

Where it is 0, samples do not reach yet what docs/realism.md asks of a default, and have to be asked for.
"""
DRAWING = "--set objective.norm=l2 --set objective.rectification=0"
"""What makes weights that draw one of the likely pictures, not the most likely one."""
COMPACT = {"width": 16, "encoder": [1, 1, 2, 2], "middle": 1, "decoder": [2, 2, 1, 1]}


@hookimpl
def register_schedules() -> Iterable[ScheduleCard]:
    """Bring the mean-reverting path, that of denoising, a bridge and a straight line."""
    yield ScheduleCard(
        name="mean-reverting",
        factory="restoration_ir_sde.schedules:MeanReverting",
        summary="from the clean image to the degraded one plus stationary noise",
        source=PAPER,
    )
    yield ScheduleCard(
        name="denoising-sde",
        factory="restoration_ir_sde.schedules:DenoisingSDE",
        summary="from the clean image to itself plus noise, bounded by max_sigma",
        source=PAPER,
        uses_y=False,
    )
    yield ScheduleCard(
        name="noise-level",
        factory="restoration_ir_sde.schedules:NoiseLevel",
        summary="from the clean image to itself plus noise, whose standard deviation is the time",
        source="Karras et al. 2022, arXiv:2206.00364",
        uses_y=False,
    )
    yield ScheduleCard(
        name="ou-bridge",
        factory="restoration_ir_sde.schedules:OUBridge",
        summary="from the clean image to the degraded one itself, with noise only between them (GOUB)",
        source="Yue et al. 2024, arXiv:2312.10299",
    )
    yield ScheduleCard(
        name="rectified-flow",
        factory="restoration_ir_sde.flow:RectifiedFlow",
        summary="straight from the clean image to the degraded one with a little noise",
        source=PMRF,
    )


@hookimpl
def register_objectives() -> Iterable[ObjectiveCard]:
    """Bring what a network on such a path can be trained to predict."""
    yield ObjectiveCard(
        name="clean-matching",
        factory="restoration_ir_sde.objectives:CleanMatching",
        summary="the network predicts the clean image; our weights are trained with it",
    )
    yield ObjectiveCard(
        name="noise-matching",
        factory="restoration_ir_sde.objectives:NoiseMatching",
        summary="the network predicts the noise (score matching)",
        source=f"{PAPER}, equation 10",
    )
    yield ObjectiveCard(
        name="velocity-matching",
        factory="restoration_ir_sde.objectives:VelocityMatching",
        summary="the network predicts the velocity, which is the noise at the clean end and the image at the other",
        source="Salimans and Ho 2022, arXiv:2202.00512",
    )
    yield ObjectiveCard(
        name="symmetric-matching",
        factory="restoration_ir_sde.symmetric:SymmetricMatching",
        summary="the network sees pictures in [-1, 1] and predicts their noise, image or velocity; for published DDPM",
        source="Ho et al. 2020, arXiv:2006.11239",
    )
    yield ObjectiveCard(
        name="flow-matching",
        factory="restoration_ir_sde.flow:FlowMatching",
        summary="the network predicts the velocity of a straight path, or the clean image with the same loss",
        source="Liu et al. 2023, arXiv:2209.03003",
    )
    yield ObjectiveCard(
        name="posterior-mean",
        factory="restoration_ir_sde.objectives:PosteriorMean",
        summary="maximum likelihood with the exact mean of the next state",
        source=f"{PAPER}, equation 15",
    )
    yield ObjectiveCard(
        name="euler-matching",
        factory="restoration_ir_sde.objectives:EulerMatching",
        summary="maximum likelihood with the mean of Euler's method, as in the published code; for published weights",
        source=f"{PAPER}, equations 14 and 15",
    )
    yield ObjectiveCard(
        name="latent-matching",
        factory="restoration_ir_sde.latent:LatentMatching",
        summary="an autoencoder trained by latent replacing, and one of the other objectives for its latents",
        source=REFUSION,
    )


@hookimpl
def register_restorers() -> Iterable[RestorerCard]:
    """Bring IR-SDE between pictures and between latents, and Denoising-SDE and -ODE."""
    yield RestorerCard(
        name="ir-sde",
        factory="restoration_ir_sde.restorers:IRSDE",
        summary="mean-reverting diffusion from the degraded picture to the clean one",
        uses=(),
        draws=True,
        mean="regression",
        draws_with=f"{DRAWING} --sampler posterior --set method.steps=20",
        source=PAPER,
        defaults={
            "network": {"name": "nafnet-compact", "options": COMPACT},
            "schedule": {
                "name": "mean-reverting",
                "options": {"theta": "cosine", "max_sigma": 10.0, "T": 100, "eps": 0.005},
            },
            "objective": {"name": "clean-matching", "options": {"norm": "l1", "rectification": 1.0}},
            "sampler": {"name": "dpmpp-2m"},
        },
    )
    yield RestorerCard(
        name="latent-ir-sde",
        factory="restoration_ir_sde.latent:LatentIRSDE",
        summary="Latent Refusion: mean-reverting diffusion of small latents, for large pictures",
        uses=(),
        draws=True,
        source=REFUSION,
        defaults={
            "network": {"name": "latent-pair"},
            "schedule": {
                "name": "mean-reverting",
                "options": {"theta": "cosine", "max_sigma": 50.0, "T": 100, "eps": 0.005},
            },
            "objective": {"name": "latent-matching", "options": {"matching": "clean", "rectification": 1.0}},
            "sampler": {"name": "dpmpp-2m"},
        },
    )
    for kind, sampler in (("ode", "dpmpp-2m"), ("sde", "dpmpp-2m-sde")):
        yield RestorerCard(
            name=f"denoising-{kind}",
            factory="restoration_ir_sde.restorers:Denoising",
            summary=f"diffusion ({kind.upper()}) that starts at the noise level of the picture",
            source=PAPER,
            tasks=("denoise",),
            uses=("sigma",),
            mean="regression",
            draws_with=DRAWING,
            defaults={
                "network": {"name": "nafnet-compact", "options": COMPACT},
                "schedule": {
                    "name": "denoising-sde",
                    "options": {"theta": "cosine", "max_sigma": 70.0, "T": 100, "eps": 0.04},
                },
                "objective": {"name": "clean-matching", "options": {"norm": "l1"}},
                "sampler": {"name": sampler},
            },
        )


@hookimpl
def register_layouts() -> Iterable[LayoutCard]:
    """Bring the recognition of published files."""
    yield LayoutCard(
        name="ir-sde",
        factory="restoration_ir_sde.published:PublishedLayout",
        summary="files of the published code of IR-SDE, Denoising-SDE and Refusion",
        source=PAPER,
        parts={
            "task": ("derain", "deblur", "dehaze", "sr", "inpaint", "denoise"),
            "network": ("conditional-unet", "unconditional-unet", "conditional-nafnet"),
            "sampler": ("posterior", "euler-ode"),
        },
    )


@hookimpl
def register_weights() -> Iterable[WeightsCard]:
    """Bring the weights that we trained."""
    for task, data in TRAINED_ON.items():
        yield WeightsCard(
            name=f"ir-sde/{task}",
            factory=f"restoration_ir_sde:weights/{task}",
            summary=f"compact NAFNet of width 16, trained on {data}; 10 evaluations",
            method="ir-sde",
            task=task,
            license="MIT",
        )
    for task, (realism, steps) in DRAWN.items():
        yield WeightsCard(
            name=f"ir-sde/{task}-real",
            factory=f"restoration_ir_sde:weights/{task}-real",
            summary=f"compact NAFNet of width 16 that draws, trained on {TRAINED_ON[task]}; {steps} evaluations",
            method="ir-sde",
            task=task,
            realism=realism,
            license="MIT",
        )
    for method in ("denoising-ode", "denoising-sde"):
        yield WeightsCard(
            name=f"{method}/denoise",
            factory="restoration_ir_sde:weights/denoising",
            summary="compact NAFNet of width 16, trained on Gaussian noise up to sigma 75",
            method=method,
            task="denoise",
            realism=1.0,
            license="MIT",
        )
