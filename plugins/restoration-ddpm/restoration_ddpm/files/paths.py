"""On which path a network was trained, and to predict what: as its file says, or as its code does by default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from restoration import BadWeights, Part
from restoration_ddpm.schedules import betas

if TYPE_CHECKING:
    from torch import Tensor

STRENGTH = 0.5
"""The noise of a path of pictures in [0, 1] whose network sees them in [-1, 1]."""
METHOD = Part("ddpm", {"grey": 0.5})
"""The method of networks that see pictures in [-1, 1]: they draw new ones around 0, which is grey."""
NEAR = 1e-3
"""The largest share by which tables in single precision may differ from what they are tables of."""


def path(kind: str, T: int = 1000, **ends: float) -> Part:
    """Return a schedule of DDPM; `ends` are the first and last beta of one that is linear."""
    linear = {"beta_min": 0.0001, "beta_max": 0.02} if kind == "linear" else {}
    return Part("ddpm", {"kind": kind, **linear, **ends, "T": T, "strength": STRENGTH})


def objective(predicts: str) -> Part:
    """Return the objective of networks that see pictures in [-1, 1]."""
    return Part("symmetric-matching", {"predicts": predicts, "norm": "l2"})


def path_of(table: Tensor) -> Part:
    """Return the schedule of a table of betas. Raises `BadWeights` for one of a kind that is not known here."""
    T = len(table)
    first, last = (float(f"{float(end):.6g}") for end in (table[0], table[-1]))
    known: dict[str, dict[str, float]] = {
        "linear": {"beta_min": first, "beta_max": last},
        "scaled-linear": {"beta_min": first, "beta_max": last},
        "cosine": {},
        "sigmoid-abar": {},
    }
    for kind, ends in known.items():
        made = betas(kind, first, last, T)  # type: ignore[arg-type]  # they are all kinds
        if bool(((made - table.double()).abs() <= NEAR * made + 1e-9).all()):
            return path(kind, T, **ends)
    raise BadWeights("its schedule is neither linear nor that of a cosine or a sigmoid, and others are not known here")


def predicted(weights: Tensor, table: Tensor) -> str:
    """Return what a network predicts whose losses have these weights by step; `table` are the betas.

    The weight of errors of the clean image is the ratio of signal to noise, which may be clipped; for noise it is
    divided by that ratio, for velocity by one more (Hang et al., arXiv:2303.09556). Raises `BadWeights`.
    """
    abar = (1 - table.double()).cumprod(0)
    ratio = abar / (1 - abar)
    for name, divisor in (("noise", ratio), ("clean", 1), ("velocity", ratio + 1)):
        clipped = weights.double() * divisor
        if bool(((clipped - ratio.clamp(max=float(clipped.max()))).abs() <= NEAR * clipped.abs()).all()):
            return name
    raise BadWeights("its losses are weighted in a way that is not known here, so that what it predicts is not either")


def told_by(others: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return what the tables beside a network say of its path, as parts of a recipe.

    Before version 1.5 of denoising-diffusion-pytorch the weights of losses do not depend on what is predicted.
    """
    if "betas" not in others or others["betas"].ndim != 1:
        return {}
    known: dict[str, Any] = {"schedule": path_of(others["betas"])}
    if "loss_weight" in others:
        known["objective"] = objective(predicted(others["loss_weight"], others["betas"]))
    return known
