"""One prior for every known operator: cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import CommandOption, RestorerCard, hookimpl

TASKS = ("sr", "deblur", "inpaint", "denoise")
"""The tasks of which the damage is a known operator, or noise."""
PRIOR = "denoising-ode/denoise"
"""The weights that are the prior by default."""
METHODS = {
    "ddrm": (
        "ddrm:DDRM",
        "one prior for every known damage, by its singular values",
        "Kawar et al. 2022, arXiv:2201.11793",
    ),
    "diffpir": (
        "diffpir:DiffPIR",
        "one prior for every known damage: denoises, and then fits what was measured",
        "Zhu et al. 2023, arXiv:2305.08995",
    ),
    "dps": (
        "dps:DPS",
        "one prior for every known damage, by gradients through the network",
        "Chung et al. 2023, arXiv:2209.14687",
    ),
}
"""The class of each method, what it is, and its paper."""


@hookimpl
def register_restorers() -> Iterable[RestorerCard]:
    """Bring the methods."""
    for name, (factory, summary, source) in METHODS.items():
        yield RestorerCard(
            name=name,
            factory=f"restoration_posterior.{factory}",
            summary=summary,
            source=source,
            tasks=TASKS,
            uses=("operator", "sigma"),
            prior=PRIOR,
            asks=(
                CommandOption(
                    name="noise",
                    help="standard deviation of the noise in the picture, in levels of 255, beside its other damage; "
                    "estimated in a blurred picture, else that of 8 bits",
                ),
            ),
            defaults={
                "network": {
                    "name": "nafnet-compact",
                    "options": {"width": 16, "encoder": [1, 1, 2, 2], "middle": 1, "decoder": [2, 2, 1, 1]},
                },
                "schedule": {
                    "name": "denoising-sde",
                    "options": {"theta": "cosine", "max_sigma": 76.0, "T": 100, "eps": 0.04},
                },
                "objective": {"name": "clean-matching", "options": {"norm": "l1", "clipped": 0.5}},
            },
        )
