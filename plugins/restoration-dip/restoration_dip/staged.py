"""Deep Image Prior along a diffusion schedule: one network is fitted to targets with less and less noise."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Literal

import torch

from restoration_dip.fit.average import RunningAverage
from restoration_dip.fit.fitting import Fitting, Optimiser, check_memory, make_untrained
from restoration_dip.fit.inputs import JitteredInput, draw_noise
from restoration_dip.fit.plans import PYRAMID, choose_settings
from restoration_dip.fit.problem import Problem, get_measurement
from restoration_dip.perceptual import Features, Perceptual
from restoration_dip.stages import Form, Order, Stage, make_stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Generator, Tensor

    from restoration import NetworkMaker, NoiseSchedule, Observation


class StagedDeepImagePrior:
    """Restores a picture without any other picture, from coarse to fine.

    One untrained network is fitted to the picture plus noise, with less noise in each stage and none in the last, where
    the fit ends. It is the reverse process of a diffusion, with Deep Image Prior (Ulyanov et al. 2018,
    arXiv:1711.10925) instead of its steps. The noise is the same in all stages but for its strength, and nothing is
    clipped. With ten levels up to beta 0.01 the defaults are 2,047 epochs, of a step each.

    * `make_network`: makes the network.
    * `schedule`: any noise schedule; the targets are its states, with the picture at hand as the clean one.
    * `task`: the name of the task.
    * `epochs`, `steps`, `levels`, `alpha`, `k`, `order`, `form`: see `make_stages`.
    * `perceptual`: the weight of a distance in features that is added to the loss; 0.01 to 0.1 suits VGG, 0.001
      EfficientNet.
    * `features`: the features of that distance, see `Perceptual`.
    * `answer`: the result, the running "average" of the outputs or the "last" one.
    * `channels`: the number of channels of noise in the input.
    * `lr`, `optimiser`: the learning rate, None for the default of the network, and "adam" or "muon".
    * `jitter`: the standard deviation of the noise that is added to the input at each step.
    * `decay`: the decay of the running average.

    During the fit, `target` is the target of the present stage, of the shape of what was measured.
    """

    def __init__(
        self,
        *,
        make_network: NetworkMaker,
        schedule: NoiseSchedule,
        task: str,
        epochs: int = 247,
        steps: int | None = None,
        levels: int | None = None,
        alpha: float = 1.0,
        k: float = 300.0,
        order: Order = "ascending",
        form: Form = "exploding",
        perceptual: float = 0.0,
        features: Features = "vgg16",
        answer: Literal["average", "last"] = "average",
        channels: int = 32,
        lr: float | None = None,
        optimiser: Optimiser = "adam",
        jitter: float = 1 / 30,
        decay: float = 0.99,
    ) -> None:
        self.stages = make_stages(
            schedule, epochs=epochs, steps=steps, levels=levels, alpha=alpha, k=k, order=order, form=form
        )
        self.steps = sum(stage.epochs for stage in self.stages)
        settings = choose_settings(make_network)
        self.lr = settings.lr if lr is None else lr
        self.options = PYRAMID if make_network.name == "skip" else settings.options
        if min(self.steps, channels) < 1 or self.lr <= 0 or min(jitter, perceptual) < 0:
            raise ValueError("steps and channels must be at least 1, lr above 0, jitter and perceptual at least 0")
        self.make_network, self.task, self.channels, self.jitter = make_network, task, channels, jitter
        self.weight, self.perceptual = perceptual, Perceptual(features=features) if perceptual else None
        self.answer, self.decay, self.optimiser = answer, decay, optimiser
        self.told: dict[str, Any] = {}
        self.target: Tensor | None = None

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the result after each epoch, `1 c h w`; an epoch is a step."""
        with torch.inference_mode(False):
            y = get_measurement(observation, self.task)
            fitting = self._fitting(observation.y, rng)
            noise = torch.randn(y.shape, generator=rng).to(y)
            measured = Problem(y, observation.operator, held_out=0.0, rng=rng)
        average, begin = RunningAverage(decay=self.decay), time.perf_counter()
        for number, stage in enumerate(self.stages, 1):
            with torch.inference_mode(False):
                target = Problem(y + stage.sigma * noise, observation.operator, held_out=0.0, rng=rng)
                fitting.loss, fitting.last_loss = self._loss(stage, target), math.inf  # a new target may raise the loss
            self.target = target.target
            for _ in range(stage.epochs):
                last = stage.to_picture(fitting.step()[0])
                mean = average.update(last)
                self.told = {
                    "iteration": average.steps,
                    "of": self.steps,
                    "stage": f"{number} of {len(self.stages)}",
                    "fit of the average": f"{_decibels(measured.loss(mean)):.2f} dB",
                    "fit of the last": f"{_decibels(measured.loss(last)):.2f} dB",
                    "per second": f"{average.steps / (time.perf_counter() - begin):.2f}",
                }
                yield mean if self.answer == "average" else last

    def _fitting(self, y: Tensor, rng: Generator) -> Fitting:
        """Return the fit of a new network with initial weights from `rng`; each stage sets its loss."""
        height, width = y.shape[-2:]
        channels = self.channels if self.make_network.free else self.make_network.channels
        check_memory(self.make_network, channels, self.options, (height, width), y.device)
        z = draw_noise(channels, height, width, rng).to(y)
        network = make_untrained(self.make_network, channels, self.options, rng, y.device)
        return Fitting(network, JitteredInput(z, self.jitter, rng), torch.sum, lr=self.lr, optimiser=self.optimiser)

    def _loss(self, stage: Stage, problem: Problem) -> Callable[[Tensor], Tensor]:
        """Return the loss of a stage: the squared error to its target and, if asked for, the distance in features."""
        distance = None if self.perceptual is None else self.perceptual.distance_to(problem.target)

        def loss(output: Tensor) -> Tensor:
            x = stage.to_picture(output)
            pixels = stage.weight * problem.loss(x)
            if distance is None:
                return pixels
            degraded = x if problem.operator is None else problem.operator(x)
            return pixels + self.weight * distance(torch.where(problem.shown > 0, degraded, problem.target))

        return loss


def _decibels(error: Tensor) -> float:
    return -10 * math.log10(max(float(error), 1e-12))
