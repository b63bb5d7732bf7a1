"""Deep Image Prior: an untrained network is fitted to one picture, and stopped before it fits the damage."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from restoration import read
from restoration.noise_level import estimate_sigma
from restoration.operators import Masking
from restoration_dip.downsampler import Downsampler
from restoration_dip.fit.average import RunningAverage
from restoration_dip.fit.fitting import Fitting, Optimiser, check_memory, make_untrained
from restoration_dip.fit.inputs import JitteredInput, MaskedInput, blur_known, draw_noise, make_mesh_grid
from restoration_dip.fit.plans import SETTINGS, Plan, Quality, Start, Stop, choose_plan, choose_settings, with_adam
from restoration_dip.fit.problem import Norm, Problem, choose_norm, get_measurement
from restoration_dip.fit.smaller import fill_holes, shrink_masked
from restoration_dip.fit.stopping import AveragedVariance, FixedSteps, HeldOut, Moment, MovingVariance, Stopping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from restoration import NetworkMaker, Observation

log = logging.getLogger("restoration")

HELD_OUT = 0.05
"""The share of the pixels that are held out from the fit, if the stopping rule uses them."""
MASKED = 0.1
"""The share of the values that a masked input hides at each step."""
MASKED_HELD_OUT_PIXELS, MASKED_HELD_OUT = 500, 0.01
"""A masked fit holds out so many pixels, and at least this share: held-out pixels are restored less clearly."""
LOW_NOISE = 20 / 255
"""Below this noise a masked fit is not stopped early: fitting all pixels helps more than held-out ones could tell."""
COPY_JITTER = 0.6
"""The jitter of blurred copies of a noisy picture, as a share of its noise, since some noise is left in them."""
FILL_INTERVAL = 1.0
"""Seconds between two fillings of a large picture, each of which takes a third of a second for 12 megapixels."""


class DeepImagePrior:
    """Restores a picture without any other picture (Ulyanov et al., CVPR 2018, arXiv:1711.10925).

    Minimises `|A f(z) - y|^2` over the weights of a network `f`, for a fixed input `z` and the known operator `A` of
    the picture: a mask, a resampling, a blur, or the identity.

    * `make_network`: makes the network.
    * `task`: the name of the task.
    * `quality`: chooses the settings, see `plans`; each of the other options changes one of them.
    * `steps`: the most steps.
    * `stop`: the rule for early stopping, which also tells the best step.
    * `patience`: the steps without an improvement after which the rule stops.
    * `start`: the input of the network: "noise", a "mesh-grid" of coordinates, noise with "smoothed" copies of the
      picture, or such copies of a "masked" picture, which is fitted where it is hidden, see `MaskedInput`.
    * `channels`: the number of channels of noise.
    * `flash`: a file of a picture of the same scene with flash, which is the input instead.
    * `lr`, `optimiser`: the learning rate, and "adam" or "muon".
    * `jitter`: the standard deviation of the noise that is added to the input at each step.
    * `decay`: the decay of the running average of the outputs, which is the result.
    * `norm`: "l2" as above, or "l1" for `|A f(z) - y|`, which "auto" takes if a picture to denoise has impulses.
    * `downsampling`: the filter that made a small picture, if it is not that of the task `sr`.
    * `phase`: the position of its pixels, see `Downsampler`.
    * `pixels`: the most pixels of a picture with holes that are fitted; a larger one is filled from a smaller copy.
    """

    def __init__(
        self,
        *,
        make_network: NetworkMaker,
        task: str,
        quality: Quality = "balanced",
        steps: int | None = None,
        stop: Stop | None = None,
        patience: int | None = None,
        start: Start | None = None,
        channels: int | None = None,
        flash: str | None = None,
        lr: float | None = None,
        optimiser: Optimiser | None = None,
        jitter: float | None = None,
        decay: float = 0.99,
        norm: Literal["auto", "l1", "l2"] = "auto",
        downsampling: Literal["task", "lanczos2", "lanczos3"] = "task",
        phase: float = 0.5,
        pixels: int | None = None,
    ) -> None:
        given: dict[str, Any] = {"steps": steps, "stop": stop, "start": start, "channels": channels, "jitter": jitter}
        given |= {"lr": lr, "optimiser": optimiser, "pixels": pixels}
        self.given = {name: value for name, value in given.items() if value is not None}
        few = any(self.given.get(name, 1) < 1 for name in ("steps", "channels", "pixels"))
        if few or self.given.get("lr", 1) <= 0 or self.given.get("jitter", 0) < 0:
            raise ValueError("steps, channels and pixels must be at least 1, lr above 0 and jitter at least 0")
        if patience is not None and patience < 1:
            raise ValueError(f"patience must be at least 1 step, not {patience}")
        self.make_network, self.task, self.quality = make_network, task, quality
        self.decay, self.patience, self.norm = decay, patience, norm
        self.flash, self.downsampling, self.phase = flash, downsampling, phase
        self.told: dict[str, Any] = {}
        if task == "denoise":
            log.info(
                "for noise that is new in each pixel, --method zs-n2n of restoration-noise2noise takes seconds, "
                "and is less clear"
            )

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the best result so far after each step, `1 c h w`; if a smaller copy is fitted, once in a while."""
        plan = self.plan(observation)
        small = shrink_masked(observation, plan.pixels)
        if small is observation:
            yield from self._fit(observation, plan, rng)
            return
        last = -math.inf
        for guess in self._fit(small, plan, rng):
            self.told["filled at"] = "{1}x{0}".format(*guess.shape[-2:])
            if "stopped by" in self.told or time.perf_counter() - last > FILL_INTERVAL:
                yield fill_holes(observation, guess)
                last = time.perf_counter()

    def _fit(self, observation: Observation, plan: Plan, rng: Generator) -> Iterator[Tensor]:
        """Yield the best result so far after each step, `1 c h w`."""
        problem, fitting = self.begin(observation, plan, rng)
        rule, average = self.rule(problem, plan), RunningAverage(decay=self.decay)
        best, begin = observation.y, time.perf_counter()
        for step in range(1, plan.steps + 1):
            output, _ = fitting.step()
            mean = average.update(output)
            if rule.update(Moment(step=step, output=output, average=mean, error=problem.held_out_error(mean))):
                best = mean.clone()
            elif not rule.best:
                best = mean
            rate = step / (time.perf_counter() - begin)
            self.told = {
                "iteration": rule.best or step,
                "of": step,
                "per second": f"{rate:.2f}",
                "fitted by": problem.norm,
            }
            if rule.done or step == plan.steps:
                self.told["stopped by"] = rule.name if rule.done else FixedSteps.name
            yield best
            if rule.done:
                return

    def plan(self, observation: Observation) -> Plan:
        """Return the settings for a picture, by its task, its operator and its noise."""
        plan = choose_plan(self.task, self.quality, observation.operator)
        if self.make_network.name not in SETTINGS or self.flash is not None:
            plan = with_adam(plan)
        plan = replace(plan, **self.given)
        if self.flash is not None:
            return replace(plan, start="noise", pixels=None)
        if not self.make_network.free:
            return replace(plan, start="noise")
        if plan.start != "masked":
            return plan
        if not isinstance(observation.operator, Masking | None) or self.downsampling != "task":
            return replace(plan, start="smoothed")
        if observation.operator is not None:
            return plan
        unstopped = self._noise(observation) < LOW_NOISE or self._norm(observation) == "l1"
        return replace(plan, stop="none") if unstopped and "stop" not in self.given else plan

    def begin(self, observation: Observation, plan: Plan, rng: Generator) -> tuple[Problem, Fitting]:
        """Return the loss, and the fit before its first step."""
        with torch.inference_mode(False):
            problem = self._problem(observation, plan, rng)
            return problem, self._fitting(problem, observation, plan, rng)

    def rule(self, problem: Problem, plan: Plan) -> Stopping:
        """Return the rule for early stopping."""
        if plan.stop == "none" or (plan.stop == "held-out" and not problem.held_out_values):
            return FixedSteps()
        rule = {"held-out": HeldOut, "moving-variance": MovingVariance, "averaged-variance": AveragedVariance}
        patience = {} if self.patience is None else {"patience": self.patience}
        made: Stopping = rule[plan.stop](**patience)
        return made

    def _problem(self, observation: Observation, plan: Plan, rng: Generator) -> Problem:
        """Return the loss for what was measured, with the operator of the task or another filter."""
        target, operator = get_measurement(observation, self.task), observation.operator
        if self.downsampling != "task":
            sides = zip(observation.y.shape[-2:], target.shape[-2:], strict=True)
            factor = max(math.ceil(large / small) for large, small in sides)
            if factor < 2:
                raise ValueError("downsampling is for super-resolution: what was measured must be smaller")
            operator = Downsampler(factor=factor, kernel=self.downsampling, phase=self.phase)
        held_out = HELD_OUT if plan.stop == "held-out" else 0.0
        if plan.start == "masked":
            held_out = min(held_out, max(MASKED_HELD_OUT_PIXELS / target[0, 0].numel(), MASKED_HELD_OUT))
        problem = Problem(target, operator, held_out=held_out, rng=rng, norm=self._norm(observation))
        if isinstance(observation.sigma, torch.Tensor):
            problem.weigh(observation.sigma.to(target))
        return problem

    def _fitting(self, problem: Problem, observation: Observation, plan: Plan, rng: Generator) -> Fitting:
        """Return the fit: a new network with initial weights from `rng`, and its input."""
        y, settings = observation.y, choose_settings(self.make_network)
        height, width = y.shape[-2:]
        options = plan.network if self.make_network.name == "skip" else settings.options
        channels = plan.channels if self.make_network.free else self.make_network.channels
        check_memory(self.make_network, channels, options, (height, width), y.device)
        make_input: JitteredInput | MaskedInput
        if self.flash is not None:
            make_input = JitteredInput(self._read_flash(self.flash, y).to(y), 0.0, rng)
        elif plan.start == "mesh-grid":
            make_input = JitteredInput(make_mesh_grid(height, width).to(y), plan.jitter, rng)
        elif plan.start == "masked":
            make_input = MaskedInput(y, problem.known * problem.shown, problem.shown, MASKED, rng)
        else:
            z, jitter = draw_noise(channels, height, width, rng), [plan.jitter]
            if plan.start == "smoothed":
                copies = blur_known(*problem.replace_held_out(y, rng)).cpu()
                jitter = jitter * channels + [self._copy_jitter(observation, plan)] * copies.shape[1]
                z = torch.cat([z, copies], dim=1)
            make_input = JitteredInput(z.to(y), jitter, rng)
        network = make_untrained(self.make_network, make_input.channels, options, rng, y.device)
        lr = settings.lr if plan.lr is None else plan.lr

        def loss(x: Tensor) -> Tensor:
            return problem.loss(x, make_input.hidden)

        return Fitting(network, make_input, loss, lr=lr, optimiser=plan.optimiser)

    @staticmethod
    def _read_flash(path: str, y: Tensor) -> Tensor:
        """Read the picture of the same scene with flash, `1 c h w`."""
        z = read(Path(path)).pixels
        if z.shape[-2:] != y.shape[-2:]:
            sizes = [f"{one.shape[-1]}x{one.shape[-2]}" for one in (z, y)]
            raise ValueError("the picture with flash is {}, the other {}; they must be equal".format(*sizes))
        return z

    def _copy_jitter(self, observation: Observation, plan: Plan) -> float:
        """Return the jitter of blurred copies of the picture."""
        if observation.operator is not None or not plan.jitter:
            return plan.jitter
        return max(plan.jitter, COPY_JITTER * self._noise(observation))

    def _noise(self, observation: Observation) -> float:
        sigma = observation.sigma
        if isinstance(sigma, torch.Tensor):
            return float(sigma.square().mean().sqrt())
        return estimate_sigma(observation.y) if sigma is None else sigma

    def _norm(self, observation: Observation) -> Norm:
        return choose_norm(get_measurement(observation, self.task), self.task) if self.norm == "auto" else self.norm
