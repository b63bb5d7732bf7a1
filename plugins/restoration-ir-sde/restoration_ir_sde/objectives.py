"""What a network on a path is trained to predict: the clean image or the noise, and how errors are weighted.

Every objective draws a time for each image, makes the state there, and evaluates the network. They differ in two lines:
the `error` of a prediction, and how the clean image is read from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch
from einops import reduce

from restoration.picture import round_to_levels
from restoration.sampling import first_state
from restoration_ir_sde.states import (
    KnownState,
    State,
    count_steps,
    curves,
    euler_mean,
    increments,
    known_state,
    mean_reverting,
    optimal_mean,
    random_times,
)

if TYPE_CHECKING:
    from torch import Tensor

    from restoration import Network, NoiseSchedule, RowGenerators

Norm = Literal["l1", "l2"]
Predicts = Literal["clean", "noise"]


class Matching(ABC):
    """What all objectives of a path have in common: each has an `error`, and a way to `read` a prediction.

    `norm` says whether errors are absolute or squared.
    """

    def __init__(self, *, norm: Norm = "l1") -> None:
        self.norm = norm

    def loss(self, network: Network, schedule: NoiseSchedule, x: Tensor, y: Tensor, rng: RowGenerators) -> Tensor:
        """Return one loss an image, `b`, at random times of the path."""
        return self.loss_at(network, self.draw_states(network, schedule, x, y, rng))

    def loss_at(self, network: Network, at: KnownState) -> Tensor:
        """Return one loss an image, `b`, at given states."""
        predicted = network(at.x_t, at.y, at.t.to(at.x, non_blocking=True)).to(at.x.dtype)
        return self.mean(self.error(predicted, at))

    def clean(self, network: Network, schedule: NoiseSchedule, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Return the clean image that the network predicts: `b c h w`."""
        return self.read(network(x_t, y, t).to(x_t.dtype), State(schedule=schedule, x_t=x_t, y=y, t=t))

    def draw_states(
        self, network: Network, schedule: NoiseSchedule, x: Tensor, y: Tensor, rng: RowGenerators
    ) -> KnownState:
        """Draw a time and noise for each image, and return the states there."""
        t = random_times(schedule, rng)
        return known_state(schedule, x, y, t, rng.normal(*x.shape[1:], device=x.device).to(x))

    @abstractmethod
    def error(self, predicted: Tensor, at: KnownState) -> Tensor:
        """Return the error of a prediction, `b c h w`."""

    @abstractmethod
    def read(self, predicted: Tensor, at: State) -> Tensor:
        """Return the clean image that a prediction stands for, `b c h w`."""

    def mean(self, error: Tensor) -> Tensor:
        """Return the mean absolute or squared error of each image, `b`."""
        return reduce(error.abs() if self.norm == "l1" else error.square(), "b c h w -> b", "mean")


class CleanMatching(Matching):
    """The network predicts the clean image, and all times of the path have the same weight.

    With the probability `rectification` a state is made from the network's own first estimate instead of the clean
    image, as it is when it restores: so the network learns to correct its errors, not to trust them (after DREAM, Zhou
    et al., CVPR 2024, arXiv:2312.00210).

    With the probability `clipped` a state is clipped to black and white and rounded to 256 levels, as the first state
    is when a picture from a file is denoised.
    """

    def __init__(self, *, norm: Norm = "l1", rectification: float = 0.0, clipped: float = 0.0) -> None:
        super().__init__(norm=norm)
        for name, share in (("rectification", rectification), ("clipped", clipped)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be in [0, 1], not {share}")
        self.rectification, self.clipped = rectification, clipped

    def draw_states(
        self, network: Network, schedule: NoiseSchedule, x: Tensor, y: Tensor, rng: RowGenerators
    ) -> KnownState:
        """Draw states, some of them from an estimate of the network, some as a file would store them."""
        at = super().draw_states(network, schedule, x, y, rng)
        if self.rectification:
            first = first_state(schedule, y, lambda: rng.normal(*y.shape[1:], device=y.device).to(y))
            with torch.no_grad():  # of all rows, whoever needs it: several processes must call it equally often
                estimate = self.clean(network, schedule, first, y, y.new_ones(1))
            begin = torch.where(draw_choice(self.rectification, rng, x), estimate, x)
            at = replace(at, x_t=known_state(schedule, begin, y, at.t, at.n).x_t)
        if self.clipped:
            at = replace(at, x_t=torch.where(draw_choice(self.clipped, rng, x), round_to_levels(at.x_t), at.x_t))
        return at

    def error(self, predicted: Tensor, at: KnownState) -> Tensor:
        """Return the error of the clean image."""
        return predicted - at.x

    def read(self, predicted: Tensor, at: State) -> Tensor:
        """Return the prediction: it is the clean image."""
        return predicted


class NoiseMatching(Matching):
    """The network predicts the noise; equation 10 of the paper (score matching)."""

    def error(self, predicted: Tensor, at: KnownState) -> Tensor:
        """Return the error of the noise."""
        return predicted - at.n

    def read(self, predicted: Tensor, at: State) -> Tensor:
        """Return the state without the noise, at the start of the path."""
        a, b, c = at.curves()
        return (at.x_t - b * at.y - c * predicted) / a


class VelocityMatching(Matching):
    """The network predicts the velocity `a n - c x` (Salimans and Ho, arXiv:2202.00512, section 4).

    It is the noise where the path is clean and the clean image where it is noise, so that neither end is read with a
    large error.
    """

    def error(self, predicted: Tensor, at: KnownState) -> Tensor:
        """Return the error of the velocity."""
        a, _, c = at.curves()
        return predicted - (a * at.n - c * at.x)

    def read(self, predicted: Tensor, at: State) -> Tensor:
        """Return the clean image: that part of the state and the velocity which is not noise."""
        a, b, c = at.curves()
        return (a * (at.x_t - b * at.y) - c * predicted) / (a.square() + c.square())


class PosteriorMean(Matching):
    """Maximum likelihood (equation 15) with exact means on both sides: where the next step leads, and where it should.

    It is the distance between the clean images, weighted by the share that the clean estimate has in the step. The
    network `predicts` the clean image or the noise.
    """

    def __init__(self, *, norm: Norm = "l1", predicts: Predicts = "noise") -> None:
        super().__init__(norm=norm)
        self.reader: Matching = CleanMatching() if predicts == "clean" else NoiseMatching()

    def error(self, predicted: Tensor, at: KnownState) -> Tensor:
        """Return the distance between the posterior means that follow from the prediction and from the clean image."""
        a, _, c = at.curves()
        a_u, _, c_u = curves(at.schedule, at.t - 1 / count_steps(at.schedule), at.x_t)
        share = a_u * (1 - (c_u * a / (a_u * c)).square())
        return share * (self.read(predicted, at) - at.x)

    def read(self, predicted: Tensor, at: State) -> Tensor:
        """Return the clean image, which the network predicts or which follows from the noise that it predicts."""
        return self.reader.read(predicted, at)


class EulerMatching(NoiseMatching):
    """Maximum likelihood as in the published code: a step of Euler's method must lead to the exact mean.

    Equations 14 and 15. So its networks predict the noise plus the error of Euler's method, and `corrected` removes
    that error when the clean image is read. It needs a mean-reverting schedule, and raises `ValueError` for another.
    """

    def __init__(self, *, norm: Norm = "l1", corrected: bool = True) -> None:
        super().__init__(norm=norm)
        self.corrected = corrected

    def error(self, predicted: Tensor, at: KnownState) -> Tensor:
        """Return the distance between Euler's step and the optimal reverse step, without noise."""
        return euler_mean(predicted, at) - optimal_mean(at.x, at)

    def read(self, predicted: Tensor, at: State) -> Tensor:
        """Return the clean image, from the noise without Euler's error if `corrected`."""
        if self.corrected:
            path = mean_reverting(at.schedule)
            h, _, c = increments(path, at.t, at.x_t)
            bias = c * (1 + h - torch.exp(h)) / (2 * path.lambda_**2 * h)
            predicted = ((predicted - bias * (at.x_t - at.y)) * h / torch.sinh(h)).to(at.x_t.dtype)
        return super().read(predicted, at)


def draw_choice(probability: float, rng: RowGenerators, like: Tensor) -> Tensor:
    """Draw for each row whether something is done to it, `b 1 1 1`; nothing is drawn if it always is."""
    drawn = rng.uniform(1, 1, 1) < probability if probability < 1 else torch.ones(len(rng), 1, 1, 1, dtype=torch.bool)
    return drawn.to(like.device, non_blocking=True)
