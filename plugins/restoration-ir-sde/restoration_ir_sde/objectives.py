"""What a network on a path is trained to say: the clean image or the noise, and how errors are weighed.

Every objective draws a place of the path for each image, makes the state there, and asks the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from einops import rearrange, reduce

from restoration.sampling import first_state
from restoration_ir_sde.schedules import DenoisingSDE, MeanReverting

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from restoration import Network, NoiseSchedule

Norm = Literal["l1", "l2"]
Predicts = Literal["clean", "noise"]


class CleanMatching:
    """The network says the clean image, and every place of the path counts the same.

    For the share `rectification` of a batch the states are made from the network's own first estimate instead of the
    clean image, as they are when it restores: it learns to mend its errors, not to trust them (after DREAM, Zhou et
    al., CVPR 2024, arXiv:2312.00210).

    A share `clipped` of the states is cut off at black and white and has 256 levels: where a walk begins with a picture
    of a file, as it does in denoising, its first state is so.
    """

    predicts: Predicts = "clean"

    def __init__(self, *, norm: Norm = "l1", rectification: float = 0.0, clipped: float = 0.0) -> None:
        for name, share in (("rectification", rectification), ("clipped", clipped)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be in [0, 1], not {share}")
        self.norm, self.rectification, self.clipped = norm, rectification, clipped

    def loss(self, network: Network, schedule: NoiseSchedule, x: Tensor, y: Tensor, rng: Generator) -> Tensor:
        """Return one loss an image, `b`, at random places of the path."""
        t = random_times(schedule, x.shape[0], rng)
        n = torch.randn(x.shape, generator=rng).to(x)
        own = round(self.rectification * x.shape[0])
        if not own:
            return self.loss_at(network, schedule, x, y, t, n)
        first = first_state(schedule, y[:own], lambda: torch.randn(y[:own].shape, generator=rng).to(y))
        with torch.no_grad():
            estimate = self.clean(network, schedule, first, y[:own], torch.ones(1).to(y))
        x_t = self.stored(state(schedule, torch.cat([estimate, x[own:]]), y, t, n))
        said = network(x_t, y, t.to(x)).to(x.dtype)
        return self.distance(said, x_t, x, y, schedule, t, n)

    def loss_at(self, network: Network, schedule: NoiseSchedule, x: Tensor, y: Tensor, t: Tensor, n: Tensor) -> Tensor:
        """Return one loss an image, `b`, at times `t`, `b`, with the noise `n`, `b c h w`."""
        x_t = self.stored(state(schedule, x, y, t, n))
        said = network(x_t, y, t.to(x)).to(x.dtype)
        return self.distance(said, x_t, x, y, schedule, t, n)

    def stored(self, x_t: Tensor) -> Tensor:
        """Return states with the first `clipped` of them as a file would keep them: `b c h w`."""
        first = round(self.clipped * x_t.shape[0])
        return torch.cat([(x_t[:first].clamp(0, 1) * 255).round() / 255, x_t[first:]]) if first else x_t

    def distance(
        self, said: Tensor, x_t: Tensor, x: Tensor, y: Tensor, schedule: NoiseSchedule, t: Tensor, n: Tensor
    ) -> Tensor:
        """Return how far what the network said is from what it should have said: `b`."""
        return self.reduced(said - x)

    def clean(self, network: Network, schedule: NoiseSchedule, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Return the clean image as the network sees it: `b c h w`."""
        return self.read(network(x_t, y, t).to(x_t.dtype), schedule, x_t, y, t)

    def read(self, said: Tensor, schedule: NoiseSchedule, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Turn what the network said into a clean image."""
        if self.predicts == "clean":
            return said
        a, b, c = curves(schedule, t, x_t)
        return (x_t - b * y - c * said) / a

    def reduced(self, error: Tensor) -> Tensor:
        """Return the mean absolute or squared error of each image."""
        return reduce(error.abs() if self.norm == "l1" else error.square(), "b c h w -> b", "mean")


class NoiseMatching(CleanMatching):
    """The network says the noise; equation 10 of the paper (score matching)."""

    predicts: Predicts = "noise"

    def distance(
        self, said: Tensor, x_t: Tensor, x: Tensor, y: Tensor, schedule: NoiseSchedule, t: Tensor, n: Tensor
    ) -> Tensor:
        """Return the distance between the noise that was said and the noise that was added."""
        return self.reduced(said - n)


class PosteriorMean(CleanMatching):
    """Maximum likelihood (equation 15) with exact means on both sides: where the next step goes, where it should.

    Equal to the distance between the clean images, weighed by the share that the clean estimate has in the step.
    """

    def __init__(self, *, norm: Norm = "l1", predicts: Predicts = "noise") -> None:
        super().__init__(norm=norm)
        self.predicts = predicts

    def distance(
        self, said: Tensor, x_t: Tensor, x: Tensor, y: Tensor, schedule: NoiseSchedule, t: Tensor, n: Tensor
    ) -> Tensor:
        """Return the distance between the posterior means that follow from what was said and from the clean image."""
        a, _, c = curves(schedule, t, x_t)
        a_u, _, c_u = curves(schedule, t - 1 / places(schedule), x_t)
        share = a_u * (1 - (c_u * a / (a_u * c)).square())
        return self.reduced(share * (self.read(said, schedule, x_t, y, t) - x))


class EulerMatching(CleanMatching):
    """Maximum likelihood as the published code has it: an Euler step must land on the exact mean (equations 14 and 15).

    Its networks therefore say the noise plus the error of Euler's method; `corrected` takes that out when the clean
    image is read. Needs a mean-reverting schedule, and raises `ValueError` for another.
    """

    predicts: Predicts = "noise"

    def __init__(self, *, norm: Norm = "l1", corrected: bool = True) -> None:
        super().__init__(norm=norm)
        self.corrected = corrected

    def distance(
        self, said: Tensor, x_t: Tensor, x: Tensor, y: Tensor, schedule: NoiseSchedule, t: Tensor, n: Tensor
    ) -> Tensor:
        """Return the distance between Euler's step and the optimal reverse step, without noise."""
        return self.reduced(euler_mean(schedule, said, x_t, y, t) - optimal_mean(schedule, x, x_t, y, t))

    def read(self, said: Tensor, schedule: NoiseSchedule, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Turn what the network said into a clean image, through the noise without Euler's error if `corrected`."""
        if self.corrected:
            path = mean_reverting(schedule)
            h, _, c = increments(path, t, x_t)
            bias = c * (1 + h - torch.exp(h)) / (2 * path.lambda_**2 * h)
            said = ((said - bias * (x_t - y)) * h / torch.sinh(h)).to(x_t.dtype)
        return super().read(said, schedule, x_t, y, t)


def euler_mean(schedule: NoiseSchedule, noise: Tensor, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
    """Return where Euler's reverse step from `x_t` goes, without its noise (equation 7)."""
    path = mean_reverting(schedule)
    h, _, c = increments(path, t, x_t)
    mean: Tensor = x_t - h * (y - x_t) - 2 * path.lambda_**2 * h / c * noise
    return mean


def optimal_mean(schedule: NoiseSchedule, x: Tensor, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
    """Return the mean of the state one place before `x_t`, given the clean image (equation 14)."""
    a, _, c = curves(schedule, t, x_t)
    a_u, b_u, c_u = curves(schedule, t - 1 / places(schedule), x_t)
    keep = (c_u * a / (a_u * c)).square()
    return a_u * keep / a * (x_t - (1 - a) * y) + a_u * (1 - keep) * x + b_u * y


def state(schedule: NoiseSchedule, x: Tensor, y: Tensor, t: Tensor, n: Tensor) -> Tensor:
    """Return the state at times `t`, `b`: `a x + b y + c n`, `b c h w`."""
    a, b, c = curves(schedule, t, x)
    return a * x + b * y + c * n


def curves(schedule: NoiseSchedule, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return `a`, `b` and `c` at times `b` as `b 1 1 1`, in the precision of `like`."""
    a, b, c = (rearrange(curve, "b -> b 1 1 1").to(like) for curve in schedule.at(t))
    return a, b, c


def increments(schedule: MeanReverting, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return θΔt of the step that starts at each of the times `b`, θ̄ and `c` there, as `b 1 1 1`."""
    total = schedule.integral(t)
    h = total - schedule.integral(t - 1 / places(schedule))
    c = schedule.at(t)[2]
    h, total, c = (rearrange(value, "b -> b 1 1 1").to(like) for value in (h, total, c))
    return h, total, c


def mean_reverting(schedule: NoiseSchedule) -> MeanReverting:
    """Return the schedule. Raises `ValueError` for a path that does not revert to the degraded image."""
    if isinstance(schedule, DenoisingSDE) or not isinstance(schedule, MeanReverting):
        raise ValueError(f"Euler's step needs a mean-reverting path, not {type(schedule).__name__}")
    return schedule


def places(schedule: NoiseSchedule) -> int:
    """Return the number of places that a schedule is divided into: its `T`, or 1000."""
    return int(getattr(schedule, "T", 1000))


def random_times(schedule: NoiseSchedule, number: int, rng: Generator) -> Tensor:
    """Draw places of the path, as times `b` in (0, 1], float64."""
    T = places(schedule)
    return torch.randint(1, T + 1, (number,), generator=rng).double() / T
