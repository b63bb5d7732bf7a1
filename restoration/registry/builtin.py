"""What the core itself brings, said as any plugin says it: samplers, and no method."""

from __future__ import annotations

from collections.abc import Iterable

from restoration.registry.cards import SamplerCard
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
        summary="its stochastic twin, MaRS-SDE-2: more texture, for 20 evaluations and more",
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
        summary="ancestral sampling of DDPM, the posterior sampler of IR-SDE, MaRS-SDE-1",
        source="Ho et al. 2020, arXiv:2006.11239",
        stochastic=True,
    )
    yield SamplerCard(
        name="euler-sde",
        factory="restoration.sampling:EulerSDE",
        summary="Euler-Maruyama on the reverse SDE, as the IR-SDE paper samples; for 100 steps",
        source="Luo et al. 2023, arXiv:2301.11699, equation 7",
        stochastic=True,
    )
    yield SamplerCard(
        name="euler-ode",
        factory="restoration.sampling:EulerODE",
        summary="Euler on the probability-flow ODE, as the Denoising-ODE paper samples; for 20 steps and more",
        source="Luo et al. 2023, arXiv:2301.11699, equation 16",
    )
