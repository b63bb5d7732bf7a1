"""Deep Image Prior through the noise of a diffusion schedule: one network, targets of less and less noise."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Literal

import torch

from restoration_dip.fit.average import RunningAverage
from restoration_dip.fit.fitting import Fitting, Optimiser, check_memory, untrained
from restoration_dip.fit.inputs import Shaken, noise
from restoration_dip.fit.plans import PYRAMID, settings_for
from restoration_dip.fit.problem import Problem, measured
from restoration_dip.perceptual import Features, Perceptual
from restoration_dip.stages import Form, Order, Stage, stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Generator, Tensor

    from restoration import NetworkMaker, NoiseSchedule, Observation


class StagedDeepImagePrior:
    """Restores a picture with nothing but the picture, from coarse to fine.

    One untrained network is fitted to the picture plus noise, less of it in each stage, at last none; where the stages
    end, so does the fit: see `stages` for `epochs`, `steps`, `levels`, `alpha`, `k`, `order` and `form`. The noise is
    the same in all stages but for its strength, and nothing is clipped. With ten levels up to beta 0.01 the defaults
    come to 2,047 epochs. With `perceptual` times the distance in `features` the loss looks at more than pixels; 0.01 to
    0.1 suits VGG. `answer` is the running average of what the network says, by `decay`, or what it said `last`.
    `channels` and `jitter` are of its input, `lr` and `optimiser` of its steps; `lr` is by default what suits the
    network.

    The idea is that of a diffusion's reverse process with Deep Image Prior (Ulyanov et al. 2018, arXiv:1711.10925) in
    the place of its steps. `schedule` is any: what it makes of the picture at hand at its levels is fitted. While it
    works, `target` is what it is fitted to just then, of the shape of what was measured.
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
        self.stages = stages(
            schedule, epochs=epochs, steps=steps, levels=levels, alpha=alpha, k=k, order=order, form=form
        )
        self.steps = sum(stage.epochs for stage in self.stages)
        settings = settings_for(make_network)
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
        """Yield the answer after each epoch, `1 c h w`; an epoch is a step."""
        with torch.inference_mode(False):
            y = measured(observation, self.task)
            fitting = self._fitting(observation.y, rng)
            added = torch.randn(y.shape, generator=rng).to(y)
            seen = Problem(y, observation.operator, held_out=0.0, rng=rng)
        average, begin = RunningAverage(decay=self.decay), time.perf_counter()
        for number, stage in enumerate(self.stages, 1):
            with torch.inference_mode(False):
                target = Problem(y + stage.sigma * added, observation.operator, held_out=0.0, rng=rng)
                fitting.loss, fitting.last = self._loss(stage, target), math.inf  # another target is no mishap
            self.target = target.target
            for _ in range(stage.epochs):
                last = stage.picture(fitting.step()[0])
                mean = average.update(last)
                self.told = {
                    "iteration": average.steps,
                    "of": self.steps,
                    "stage": f"{number} of {len(self.stages)}",
                    "fit of the average": f"{_decibels(seen.loss(mean)):.2f} dB",
                    "fit of the last": f"{_decibels(seen.loss(last)):.2f} dB",
                    "per second": f"{average.steps / (time.perf_counter() - begin):.2f}",
                }
                yield mean if self.answer == "average" else last

    def _fitting(self, y: Tensor, rng: Generator) -> Fitting:
        """A new network, whose weights the generator decides, and its input; what it is fitted to comes later."""
        height, width = y.shape[-2:]
        channels = self.channels if self.make_network.free else self.make_network.channels
        check_memory(self.make_network, channels, self.options, (height, width), y.device)
        z = noise(channels, height, width, rng).to(y)
        network = untrained(self.make_network, channels, self.options, rng, y.device)
        return Fitting(network, Shaken(z, self.jitter, rng), torch.sum, lr=self.lr, optimiser=self.optimiser)

    def _loss(self, stage: Stage, problem: Problem) -> Callable[[Tensor], Tensor]:
        """The squared error from the target of a stage and, if asked for, the distance in features."""
        apart = None if self.perceptual is None else self.perceptual.toward(problem.target)

        def loss(said: Tensor) -> Tensor:
            x = stage.picture(said)
            pixels = stage.weight * problem.loss(x)
            if apart is None:
                return pixels
            degraded = x if problem.operator is None else problem.operator(x)
            return pixels + self.weight * apart(torch.where(problem.shown > 0, degraded, problem.target))

        return loss


def _decibels(error: Tensor) -> float:
    return -10 * math.log10(max(float(error), 1e-12))
