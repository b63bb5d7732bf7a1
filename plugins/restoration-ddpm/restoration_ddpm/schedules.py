"""The path of DDPM: from the clean image to noise, with constant variance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["linear", "scaled-linear", "sigmoid", "cosine", "sigmoid-abar", "snr-linear", "snr-cosine"]

CLIP = 0.999
"""The largest beta of the kinds that define ᾱ, which ends at 0 (Nichol and Dhariwal, arXiv:2102.09672)."""
OFFSET = 0.008
"""The offset in the cosine, so that the first steps are not too small (the same, equation 17)."""


def betas(kind: Kind, beta_min: float, beta_max: float, T: int) -> Tensor:
    """Return the variance of the noise that each of `T` steps adds, `T` in float64.

    "linear" (Ho et al., arXiv:2006.11239), "scaled-linear", linear in the square root (Rombach et al.,
    arXiv:2112.10752), and "sigmoid", along a sigmoid from -6 to 6, go from `beta_min` to `beta_max`, which the sigmoid
    does not quite reach. The others ignore both: for "cosine" (Nichol and Dhariwal, arXiv:2102.09672, equation 17) and
    "sigmoid-abar" (Jabri et al., arXiv:2212.11972) ᾱ falls along a cosine, or along a sigmoid from -3 to 3; for
    "snr-linear" and "snr-cosine" it is that of `log_snr`.
    """
    if kind == "linear":
        return torch.linspace(beta_min, beta_max, T, dtype=torch.float64)
    if kind == "scaled-linear":
        return torch.linspace(math.sqrt(beta_min), math.sqrt(beta_max), T, dtype=torch.float64).square()
    if kind == "sigmoid":
        return beta_min + (beta_max - beta_min) * torch.linspace(-6, 6, T, dtype=torch.float64).sigmoid()
    t = torch.linspace(0, 1, T + 1, dtype=torch.float64)
    abar = ((t + OFFSET) / (1 + OFFSET) * math.pi / 2).cos().square()
    if kind == "sigmoid-abar":
        abar = (3 - 6 * t).sigmoid() - torch.tensor(-3.0, dtype=torch.float64).sigmoid()
    elif kind in ("snr-linear", "snr-cosine"):
        abar = log_snr(kind, t).sigmoid()
        abar[0] = 1.0  # where the path is clean; the published ones begin with a little noise
    return (1 - abar[1:] / abar[:-1]).clamp(0, CLIP)


def log_snr(kind: str, t: Tensor) -> Tensor:
    """Return the logarithm of the ratio of signal to noise, `ᾱ / (1 - ᾱ)`, of a path in continuous time, at times `t`.

    "snr-linear" is near to "linear" (Kingma et al., arXiv:2107.00630, appendix), and "snr-cosine" to "cosine".
    """
    if kind == "snr-linear":
        return -(1e-4 + 10 * t.square()).expm1().log()
    return -((((t + OFFSET) / (1 + OFFSET) * math.pi / 2).cos() ** -2) - 1).clamp(min=1e-5).log()


class VariancePreserving:
    """The states `√ᾱ x + √(1 - ᾱ) n`, with `ᾱ` the product of `1 - beta` (Ho et al., NeurIPS 2020, arXiv:2006.11239).

    Equation 4. The clean image is at `t` = 0, and step `i` of `T` at `i / T`; between steps `log ᾱ` is linear. `kind`,
    `beta_min` and `beta_max` choose the betas, see `betas`. `strength` multiplies the noise: published networks see
    pictures in [-1, 1], and 0.5 gives those in [0, 1] as much noise for their contrast.
    """

    def __init__(
        self,
        *,
        kind: Kind = "linear",
        beta_min: float = 1e-4,
        beta_max: float = 0.02,
        T: int = 1000,
        strength: float = 1.0,
    ) -> None:
        if strength <= 0:
            raise ValueError(f"strength must be positive, not {strength}")
        if not 0 < beta_min <= beta_max < 1 or T < 1:
            wrong = f"{beta_min}, {beta_max} and {T}"
            raise ValueError(f"it must be 0 < beta_min <= beta_max < 1, and T at least 1, not {wrong}")
        self.T, self.strength = T, strength
        self.betas = betas(kind, beta_min, beta_max, T)
        self.log_abar = torch.cat([torch.zeros(1, dtype=torch.float64), (-self.betas).log1p().cumsum(0)])

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `a` = √ᾱ, `b` = 0 and `c` = √(1 - ᾱ), times `strength`, at times `t` of any shape."""
        step = t.double().clamp(0, 1) * self.T
        below = step.floor().clamp(max=self.T - 1)
        table = self.log_abar.to(t.device)
        low, high = table[below.long()], table[below.long() + 1]
        log_abar = low + (step - below) * (high - low)
        return (log_abar / 2).exp(), torch.zeros_like(log_abar), (-log_abar.expm1()).sqrt() * self.strength

    def steps(self, n: int) -> Tensor:
        """Return `n + 1` times from 1 down to 0, evenly spaced: every step if `n` is `T`."""
        return torch.linspace(1, 0, n + 1, dtype=torch.float64)
