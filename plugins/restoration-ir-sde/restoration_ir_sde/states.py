"""States of a path, and where a step from one leads: the equations of IR-SDE that objectives consist of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from einops import rearrange

from restoration import DiscreteSchedule
from restoration_ir_sde.schedules import DenoisingSDE, MeanReverting, OUBridge

if TYPE_CHECKING:
    from torch import Tensor

    from restoration import NoiseSchedule, RowGenerators


@dataclass(frozen=True, kw_only=True)
class State:
    """A state `x_t` of a path at times `t`, `b` or `1`, and the degraded image `y`: the input of a network."""

    schedule: NoiseSchedule
    x_t: Tensor
    y: Tensor
    t: Tensor

    def curves(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return `a`, `b` and `c` here, `b 1 1 1`."""
        return curves(self.schedule, self.t, self.x_t)


@dataclass(frozen=True, kw_only=True)
class KnownState(State):
    """A state whose clean image `x` and noise `n`, `b c h w`, are known, as they are in training."""

    x: Tensor
    n: Tensor


def euler_mean(noise: Tensor, at: State) -> Tensor:
    """Return where Euler's reverse step from a state goes, without its noise (equation 7)."""
    path = mean_reverting(at.schedule)
    h, _, c = increments(path, at.t, at.x_t)
    mean: Tensor = at.x_t - h * (at.y - at.x_t) - 2 * path.lambda_**2 * h / c * noise
    return mean


def optimal_mean(x: Tensor, at: State) -> Tensor:
    """Return the mean of the state one step before this one, given the clean image `x` (equation 14)."""
    a, _, c = at.curves()
    a_u, b_u, c_u = curves(at.schedule, at.t - 1 / count_steps(at.schedule), at.x_t)
    keep = (c_u * a / (a_u * c)).square()
    return a_u * keep / a * (at.x_t - (1 - a) * at.y) + a_u * (1 - keep) * x + b_u * at.y


def known_state(schedule: NoiseSchedule, x: Tensor, y: Tensor, t: Tensor, n: Tensor) -> KnownState:
    """Return the state at times `t`, `b`: `x_t = a x + b y + c n`, `b c h w`."""
    a, b, c = curves(schedule, t, x)
    return KnownState(schedule=schedule, x_t=a * x + b * y + c * n, y=y, t=t, x=x, n=n)


def curves(schedule: NoiseSchedule, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return `a`, `b` and `c` at times `b` as `b 1 1 1`, in the precision of `like`."""
    a, b, c = (rearrange(curve, "b -> b 1 1 1").to(like, non_blocking=True) for curve in schedule.at(t))
    return a, b, c


def increments(schedule: MeanReverting, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return θΔt of the step that starts at each of the times `b`, θ̄ and `c` there, as `b 1 1 1`."""
    total = schedule.integral(t)
    h = total - schedule.integral(t - 1 / count_steps(schedule))
    c = schedule.at(t)[2]
    h, total, c = (rearrange(value, "b -> b 1 1 1").to(like, non_blocking=True) for value in (h, total, c))
    return h, total, c


def mean_reverting(schedule: NoiseSchedule) -> MeanReverting:
    """Return the schedule. Raises `ValueError` for a path that does not revert to the degraded image."""
    if isinstance(schedule, DenoisingSDE | OUBridge) or not isinstance(schedule, MeanReverting):
        raise ValueError(f"Euler's step needs a mean-reverting path, not {type(schedule).__name__}")
    return schedule


def count_steps(schedule: NoiseSchedule) -> int:
    """Return the number of steps of a schedule, or 1000 if it is not a `DiscreteSchedule`."""
    return schedule.T if isinstance(schedule, DiscreteSchedule) else 1000


def random_times(schedule: NoiseSchedule, rng: RowGenerators) -> Tensor:
    """Draw a time of the path for each row, `b` in (0, 1], float64."""
    T = count_steps(schedule)
    return rng.integers(1, T + 1).double() / T
