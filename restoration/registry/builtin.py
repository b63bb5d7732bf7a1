"""What the core itself brings, declared as any plugin does it: samplers, metrics and commands, and no method."""

from __future__ import annotations

from collections.abc import Iterable

from restoration.registry.cards import CommandCard, MetricCard, SamplerCard
from restoration.registry.hookspecs import hookimpl


@hookimpl
def register_samplers() -> Iterable[SamplerCard]:
    """Bring the samplers of `restoration.sampling`."""
    yield SamplerCard(
        name="dpmpp-2m",
        factory="restoration.sampling:dpmpp_2m",
        summary="second-order multistep ODE solver on the clean estimate: DPM-Solver++(2M), MaRS-ODE-2; the default",
        source="Lu et al. 2022, arXiv:2211.01095; Li et al. 2025, arXiv:2502.07856",
    )
    yield SamplerCard(
        name="dpmpp-2m-sde",
        factory="restoration.sampling:dpmpp_2m_sde",
        summary="DPM-Solver++(2M) with noise, MaRS-SDE-2: more texture, for 20 evaluations or more",
        source="Lu et al. 2022, arXiv:2211.01095; Li et al. 2025, arXiv:2502.07856",
        stochastic=True,
    )
    yield SamplerCard(
        name="ddim",
        factory="restoration.sampling:ddim",
        summary="first-order ODE solver: DDIM, MaRS-ODE-1",
        source="Song et al. 2021, arXiv:2010.02502",
    )
    yield SamplerCard(
        name="posterior",
        factory="restoration.sampling:posterior",
        summary="ancestral sampling, as in DDPM; the posterior sampler of IR-SDE, MaRS-SDE-1",
        source="Ho et al. 2020, arXiv:2006.11239",
        stochastic=True,
    )
    yield SamplerCard(
        name="euler-sde",
        factory="restoration.sampling:EulerSDE",
        summary="Euler-Maruyama on the reverse SDE, as in the IR-SDE paper; for 100 steps",
        source="Luo et al. 2023, arXiv:2301.11699, equation 7",
        stochastic=True,
    )
    yield SamplerCard(
        name="euler-ode",
        factory="restoration.sampling:EulerODE",
        summary="Euler on the probability-flow ODE, as in the Denoising-ODE paper; for 20 steps or more",
        source="Luo et al. 2023, arXiv:2301.11699, equation 16",
    )


@hookimpl
def register_metrics() -> Iterable[MetricCard]:
    """Bring the metrics of `restoration.metrics`, each on Y and on RGB."""
    window = "Gaussian 11x11 sigma 1.5, valid windows"
    for space, ending, words in (("rgb", "", "RGB"), ("y", "_y", "Y (BT.601, 16-235, float)")):
        title = ending.upper().replace("_", "-")
        yield MetricCard(
            name=f"psnr{ending}",
            factory="restoration.metrics:psnr",
            title=f"PSNR{title}",
            summary=f"PSNR, {words}",
            unit="dB",
            digits=2,
            defaults={"space": space},
        )
        yield MetricCard(
            name=f"ssim{ending}",
            factory="restoration.metrics:ssim",
            title=f"SSIM{title}",
            summary=f"SSIM, {words}, {window}",
            source="Wang et al. 2004, doi:10.1109/TIP.2003.819861",
            smallest=11,
            defaults={"space": space},
        )
        yield MetricCard(
            name=f"ms_ssim{ending}",
            factory="restoration.metrics:ms_ssim",
            title=f"MS-SSIM{title}",
            summary=f"MS-SSIM, {words}, {window}, 5 scales halved by 2x2 means",
            source="Wang, Simoncelli, Bovik 2003, doi:10.1109/ACSSC.2003.1292216",
            smallest=161,
            defaults={"space": space},
        )


COMMANDS = {
    "run": ("run:run", "Restore pictures."),
    "degrade": ("degrade:degrade", "Damage clean pictures as a task does."),
    "score": ("score:score", "Score methods on pictures with known clean versions."),
    "calibrate": ("calibrate:calibrate", "Measure whether samples differ where they are wrong."),
    "train": ("train:train", "Train a method on a folder of pictures."),
    "methods": ("lists:methods", "List the methods."),
    "tasks": ("lists:tasks", "List the tasks: what can be repaired."),
    "networks": ("lists:networks", "List the networks."),
    "schedules": ("lists:schedules", "List the noise schedules."),
    "objectives": ("lists:objectives", "List the training objectives."),
    "samplers": ("lists:samplers", "List the samplers."),
    "metrics": ("lists:metrics", "List the metrics."),
    "weights": ("weights:weights", "List, fetch, publish and verify weights."),
    "plugins": ("plugins:plugins", "List plugins, check them, or begin a new one."),
}
"""The commands of `restoration.cli.commands`: where each stands there, and its line in `restore --help`."""


@hookimpl
def register_commands() -> Iterable[CommandCard]:
    """Bring the commands of `restoration.cli.commands`."""
    for name, (where, summary) in COMMANDS.items():
        yield CommandCard(name=name, factory=f"restoration.cli.commands.{where}", summary=summary)
