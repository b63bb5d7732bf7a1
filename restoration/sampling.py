"""Samplers for every schedule of three curves.

With `z = (x_t - b y) / a` and `sigma = c / a`, a state is the clean image plus `sigma` times noise, for every method.
So each sampler is one loop over a falling `sigma`, and ends with the clean estimate.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from restoration.interfaces import SDESchedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from restoration.interfaces import Clean, Network, Noise, NoiseSchedule


class Multistep:
    """A multistep solver of first or second order for the clean estimate, with as much noise as `eta` says.

    Order 1 is DDIM (`eta` 0) or ancestral sampling (`eta` 1); order 2 is DPM-Solver++(2M) and its stochastic variant
    (Lu et al., arXiv:2211.01095). On a mean-reverting schedule these are the data-prediction solvers of MaRS (Li et
    al., arXiv:2502.07856). `orders` are the orders of single steps, instead; then another number of steps raises
    `ValueError`.
    """

    def __init__(self, *, order: int = 2, eta: float = 0.0, orders: tuple[int, ...] | None = None) -> None:
        if order not in (1, 2) or any(one not in (1, 2) for one in orders or ()):
            raise ValueError(f"order must be 1 or 2, not {orders or order}")
        if eta < 0:
            raise ValueError(f"eta must not be negative, but is {eta}")
        self.order, self.eta, self.orders = order, eta, orders

    def __call__(
        self, clean: Clean, schedule: NoiseSchedule, x_t: Tensor, y: Tensor, times: Tensor, noise: Noise
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Sample from the state `x_t`; yield the state and the clean estimate after each step.

        * `clean`: predicts the clean image from a state and a time.
        * `schedule`: the three curves.
        * `x_t`: the state at the first time, `b c h w`.
        * `y`: the degraded image, `b c h w`.
        * `times`: the times of the states, from the first down to the last.
        * `noise`: draws noise of the shape of the state.
        """
        a, b, c = (curve.tolist() for curve in schedule.at(times))
        if self.orders and len(self.orders) != len(a) - 1:
            raise ValueError(f"orders of {len(self.orders)} steps, where sampling takes {len(a) - 1}")
        z = torch.sub(x_t, y, alpha=b[0]).div_(a[0])
        last_x, last_h = None, 0.0
        for i in range(len(a) - 1):
            x = clean(x_t, times[i : i + 1].to(x_t))
            if c[i + 1] == 0:
                yield x, x
                return
            sigma = c[i + 1] / a[i + 1]
            h = math.log(c[i] / a[i] / sigma)
            decay, gain = math.exp(-(1 + self.eta) * h), -math.expm1(-(1 + self.eta) * h)
            z.mul_(decay).add_(x, alpha=gain)
            order = self.orders[i] if self.orders else self.order
            if order == 2 and last_x is not None:
                slope = (1 - gain / ((1 + self.eta) * h)) * h / last_h
                z.add_(x, alpha=slope).sub_(last_x, alpha=slope)
            if self.eta:
                z.add_(noise(), alpha=sigma * math.sqrt(-math.expm1(-2 * self.eta * h)))
            last_x, last_h = x, h
            del x_t  # before the next one is made: of a large picture, every copy counts
            x_t = torch.mul(z, a[i + 1]).add_(y, alpha=b[i + 1])
            yield x_t, x


def dpmpp_2m() -> Multistep:
    """DPM-Solver++(2M): deterministic, second order."""
    return Multistep(order=2)


def dpmpp_2m_sde(*, eta: float = 1.0) -> Multistep:
    """DPM-Solver++(2M) with noise; with `eta` 0 it is deterministic."""
    return Multistep(order=2, eta=eta)


def ddim(*, eta: float = 0.0) -> Multistep:
    """DDIM (Song et al., arXiv:2010.02502), deterministic unless `eta` is positive."""
    return Multistep(order=1, eta=eta)


def posterior() -> Multistep:
    """Ancestral sampling: each step is drawn from the exact posterior given the clean estimate (DDPM, equation 7)."""
    return Multistep(order=1, eta=1.0)


class EulerSDE:
    """Euler-Maruyama on the reverse SDE. The states are the published ones; the result is the clean estimate."""

    ode_share, noise_share = 1.0, 1.0

    def __call__(
        self, clean: Clean, schedule: NoiseSchedule, x_t: Tensor, y: Tensor, times: Tensor, noise: Noise
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Sample from the state `x_t`; yield the state and the clean estimate after each step.

        * `clean`: predicts the clean image from a state and a time.
        * `schedule`: the three curves.
        * `x_t`: the state at the first time, `b c h w`.
        * `y`: the degraded image, `b c h w`.
        * `times`: the times of the states, from the first down to the last.
        * `noise`: draws noise of the shape of the state.
        """
        a, b, c = (curve.tolist() for curve in schedule.at(times))
        for i in range(len(a) - 1):
            x = clean(x_t, times[i : i + 1].to(x_t))
            n = (x_t - a[i] * x - b[i] * y) / c[i]
            shrink, ode, variance = rates(schedule, float(times[i]), float(times[i + 1]))
            anchor = b[i] / (1 - a[i]) if a[i] < 1 else 0.0
            x_t = x_t + shrink * (x_t - anchor * y) - (ode + self.noise_share * variance / 2) / c[i] * n
            if self.noise_share:
                x_t = x_t - self.noise_share * math.sqrt(variance) * noise()
            yield x_t, x


class EulerODE(EulerSDE):
    """Euler on the probability-flow ODE: the same without noise."""

    noise_share = 0.0


def rates(schedule: NoiseSchedule, s: float, u: float) -> tuple[float, float, float]:
    """Return Euler's increments from time `s` down to `u`: shrinkage, half the diffusion for the ODE, noise variance.

    An `SDESchedule` gives them itself; for others they follow from `a` and `c` at both times.
    """
    if isinstance(schedule, SDESchedule):
        shrink, ode, variance = schedule.rates(s, u)
        return float(shrink), float(ode), float(variance)
    a, _, c = (curve.tolist() for curve in schedule.at(torch.tensor([s, u], dtype=torch.float64)))
    variance = c[0] ** 2 - (a[0] / a[1] * c[1]) ** 2
    return math.log(a[1] / a[0]), variance / 2, variance


def drawing(like: Tensor, rng: Generator) -> Noise:
    """Return a function that draws noise of the shape of `like` from `rng`: on the CPU, so that all devices agree."""
    return lambda: torch.randn(like.shape, generator=rng).to(like.device)


def shown(network: Network, y: Tensor) -> Network:
    """Return a network that is shown the degraded image `y`, `b c h w`, where its path leads to something else."""
    return lambda x_t, _, t: network(x_t, y, t)


def first_state(schedule: NoiseSchedule, y: Tensor, noise: Noise, t: float = 1.0) -> Tensor:
    """Return a state at time `t` when only `y`, `b c h w`, is known: that of the path with `y` instead of `x`."""
    a, b, c = (float(curve) for curve in schedule.at(torch.tensor(t, dtype=torch.float64)))
    return torch.mul(noise(), c).add_(y, alpha=a + b)
