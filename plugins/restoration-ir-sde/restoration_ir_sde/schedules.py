"""The paths of IR-SDE.

Luo et al., "Image Restoration with Mean-Reverting Stochastic Differential Equations", ICML 2023, arXiv:2301.11699.

Everything follows from the integral of theta, which is tabulated in float64 at `T + 1` times and linear between them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from torch import Tensor

Theta = Literal["constant", "linear", "cosine"]
TRACE = 1e-6
"""The share of the integral of theta that a bridge leaves at its end, where it should have no noise at all."""


def theta(kind: Theta, T: int) -> Tensor:
    """Return the speed of mean reversion at the steps 0 to `T`, as in the published code: `T + 1` values."""
    if kind == "constant":
        return torch.ones(T + 1, dtype=torch.float64)
    if kind == "linear":
        scale = 1000 / (T + 1)
        return torch.linspace(1e-4 * scale, 2e-2 * scale, T + 1, dtype=torch.float64)
    times = torch.arange(T + 3, dtype=torch.float64) / (T + 2)
    f = torch.cos((times + 0.008) / 1.008 * math.pi / 2) ** 2
    return 1 - (f / f[0])[1:-1]


class MeanReverting:
    """From the clean image to the degraded one plus noise: `x_t = e^-θ̄ x + (1 - e^-θ̄) y + λ √(1 - e^-2θ̄) n`.

    `max_sigma` is λ in levels of 255, `eps` the share of the clean image that is left at t = 1, and `T` the number of
    steps of the published code. Equation 6 of the paper, its section 3.2 and appendix D.
    """

    def __init__(self, *, theta: Theta = "cosine", max_sigma: float = 10.0, T: int = 100, eps: float = 0.005) -> None:
        if max_sigma <= 0 or not 0 < eps < 1 or T < 1:
            raise ValueError(f"max_sigma and T must be positive and eps in (0, 1), not {max_sigma}, {T}, {eps}")
        self.T = T
        self.lambda_ = max_sigma / 255
        self.theta_bar = _integral(theta, T, eps)

    def integral(self, t: Tensor) -> Tensor:
        """Return θ̄, the integral of theta from 0 to `t`, float64, of the shape of `t`."""
        step = t.double().clamp(0, 1) * self.T
        nearest = step.round()
        step = torch.where((step - nearest).abs() < 1e-4, nearest, step)
        below = step.floor().clamp(max=self.T - 1)
        table = self.theta_bar.to(t.device)
        low, high = table[below.long()], table[below.long() + 1]
        return low + (step - below) * (high - low)

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `a`, `b` and `c` at times `t` of any shape (equation 6)."""
        total = self.integral(t)
        return torch.exp(-total), -torch.expm1(-total), self.lambda_ * torch.sqrt(-torch.expm1(-2 * total))

    def steps(self, n: int) -> Tensor:
        """Return `n + 1` times from 1 down to 0, evenly spaced."""
        return torch.linspace(1, 0, n + 1, dtype=torch.float64)

    def rates(self, s: float, u: float) -> tuple[float, float, float]:
        """Return the increments of Euler's method from `s` down to `u`: θΔt, λ²θΔt, and the variance 2λ²θΔt."""
        h = self._step(s, u)
        return h, self.lambda_**2 * h, 2 * self.lambda_**2 * h

    def _step(self, s: float, u: float) -> float:
        both = self.integral(torch.tensor([s, u], dtype=torch.float64))
        return float(both[0] - both[1])


class DenoisingSDE(MeanReverting):
    """From the clean image to itself plus noise: `x_t = x + λ √(1 - e^-2θ̄) n`, the path of Denoising-SDE and -ODE.

    A picture with noise `sigma` is a state of this path: the one at `time_of(sigma)` (section 5.3 of the paper).
    """

    def __init__(self, *, theta: Theta = "cosine", max_sigma: float = 70.0, T: int = 100, eps: float = 0.04) -> None:
        super().__init__(theta=theta, max_sigma=max_sigma, T=T, eps=eps)

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `a` = 1, `b` = 0 and `c` at times `t` of any shape."""
        _, b, c = super().at(t)
        return torch.ones_like(b), torch.zeros_like(b), c

    def rates(self, s: float, u: float) -> tuple[float, float, float]:
        """Return Euler's increments: no shrinkage, λ²e^-2θ̄ θΔt for the ODE, and the variance 2λ²θΔt."""
        h = self._step(s, u)
        left = math.exp(-2 * float(self.integral(torch.tensor(s, dtype=torch.float64))))
        return 0.0, self.lambda_**2 * h * left, 2 * self.lambda_**2 * h

    def time_of(self, sigma: float) -> float:
        """Return the time of the step with the noise nearest to `sigma` in units of [0, 1]. Raises `ValueError`."""
        if not 0 < sigma <= self.lambda_:
            levels = (sigma * 255, self.lambda_ * 255)
            raise ValueError(f"sigma is {levels[0]:g}/255; this path holds noise up to {levels[1]:g}/255")
        total = -0.5 * math.log(1 - sigma**2 / self.lambda_**2 + 1e-6)
        return max(1, int((self.theta_bar - total).abs().argmin())) / self.T


class NoiseLevel:
    """From the clean image to itself plus noise: `x_t = x + t max n`, with `max_sigma`, in levels of 255, as the max.

    With 255 of them the time is the standard deviation of the noise in units of [0, 1]: what networks such as FFDNet
    and DRUNet are given beside the picture. It is the path of Karras et al., arXiv:2206.00364, with σ = t.
    """

    T = 2550

    def __init__(self, *, max_sigma: float = 255.0) -> None:
        if not 0 < max_sigma < math.inf:
            raise ValueError(f"max_sigma must be positive, not {max_sigma}")
        self.max = max_sigma / 255

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `a` = 1, `b` = 0 and `c` at times `t` of any shape."""
        t = t.double()
        return torch.ones_like(t), torch.zeros_like(t), self.max * t

    def steps(self, n: int) -> Tensor:
        """Return `n + 1` times from 1 down to 0, evenly spaced."""
        return torch.linspace(1, 0, n + 1, dtype=torch.float64)

    def time_of(self, sigma: float) -> float:
        """Return the time at which the noise is `sigma`, in units of [0, 1]. Raises `ValueError` beyond the path."""
        if not 0 < sigma <= self.max:
            raise ValueError(f"sigma is {sigma * 255:g}/255; this path holds noise up to {self.max * 255:g}/255")
        return max(1 / self.T, sigma / self.max)


class OUBridge(MeanReverting):
    """A mean-reverting path that is pinned to the degraded image: it ends there, without noise (GOUB).

    With σ̄² = λ² (1 - e^-2θ̄) from 0 to t, that from t to 1, and that from 0 to 1, the path has
    `a = e^-θ̄ σ̄²(t, 1) / σ̄²(0, 1)`, `b = 1 - a` and `c² = σ̄²(0, t) σ̄²(t, 1) / σ̄²(0, 1)`: the generalized
    Ornstein-Uhlenbeck bridge of Yue et al., arXiv:2312.10299, equation 9. The options are those of the path without the
    bridge. Euler's steps follow from the curves.
    """

    def __init__(self, *, theta: Theta = "cosine", max_sigma: float = 30.0, T: int = 100, eps: float = 0.005) -> None:
        super().__init__(theta=theta, max_sigma=max_sigma, T=T, eps=eps)

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `a`, `b` and `c` at times `t` of any shape; at t = 1 a trace of noise is left, see `TRACE`."""
        total = self.integral(t)
        whole = self.theta_bar[-1].to(t.device)
        so_far, to_come, both = (
            -torch.expm1(-2 * part) for part in (total, (whole - total).clamp(min=TRACE * whole), whole)
        )
        a = torch.exp(-total) * to_come / both
        return a, 1 - a, self.lambda_ * torch.sqrt(so_far * to_come / both)


def _integral(kind: Theta, T: int, eps: float) -> Tensor:
    """Return θ̄ at the `T + 1` times, scaled so that e^-θ̄ is `eps` at the end."""
    values = theta(kind, T)
    total = values.cumsum(0) - values[0]
    return total * (-math.log(eps) / total[-1])
