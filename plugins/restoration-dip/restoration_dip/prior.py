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
from restoration_dip.fit.fitting import Fitting, Optimiser, check_memory, untrained
from restoration_dip.fit.inputs import Masked, Shaken, mesh_grid, noise, smoothed
from restoration_dip.fit.plans import SETTINGS, Plan, Quality, Start, Stop, by_adam, plan_for, settings_for
from restoration_dip.fit.problem import Norm, Problem, measured, norm_for
from restoration_dip.fit.smaller import filled, shrunk
from restoration_dip.fit.stopping import AveragedVariance, Fixed, HeldOut, Moment, MovingVariance, Stopping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from restoration import NetworkMaker, Observation

log = logging.getLogger("restoration")

HELD_OUT = 0.05
"""Share of what was measured that the fit is not shown, where the rule of stopping asks for it."""
MASKED = 0.1
"""Share of the values that are hidden at each step."""
ENOUGH, LEAST = 500, 0.01
"""Pixels that are held out besides, and their least share: what such a fit is never shown stays less clear."""
LITTLE = 20 / 255
"""Noise below which a masked fit is not stopped: what is seen helps there more than what is held out can tell."""
VEIL = 0.6
"""Jitter of blurred copies of a noisy picture, as a share of its noise: some of that is left in them."""
BETWEEN = 1.0
"""Seconds until a large picture is filled again from a smaller one: 12 megapixels take a third of that."""


class DeepImagePrior:
    """Restores a picture with nothing but the picture (Ulyanov et al., CVPR 2018, arXiv:1711.10925).

    Minimises `|A f(z) - y|^2` over the weights of `f`, for a fixed random input `z` and the operator `A` that is known
    of the picture: a mask, a resampling, a blur, or nothing. `quality` chooses the settings, see `plans`; the other
    options change one of them each: `stop` when to stop and which answer is the best, at the latest after `steps`;
    `start` the input: "noise" of so many `channels`, a "mesh-grid", noise and "smoothed" copies of the picture, or
    those alone of a "masked" picture, see `Masked`, which is fitted where it is hidden; `flash` a file of a picture to
    begin with instead; `jitter` how much noise is shaken, noisy copies at least by a share of their noise; `optimiser`
    and `lr` its steps; `decay` the running average of the answers; `norm` "l1" minimises `|A f(z) - y|`, as is done by
    itself where a picture to denoise has wrong pixels here and there; `downsampling` the filter, where a picture was
    made smaller otherwise than the task has it; `pixels` how many are fitted of a picture with holes, which are filled
    in a smaller one where it has more.
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
            log.info("for noise that is new in each pixel, Zero-Shot Noise2Noise (arXiv:2303.11253) takes seconds")

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the best answer so far after each step, `1 c h w`; where a smaller picture is fitted, now and then."""
        plan = self.plan(observation)
        small = shrunk(observation, plan.pixels)
        if small is observation:
            yield from self._fit(observation, plan, rng)
            return
        last = -math.inf
        for guess in self._fit(small, plan, rng):
            self.told["filled at"] = "{1}x{0}".format(*guess.shape[-2:])
            if "stopped by" in self.told or time.perf_counter() - last > BETWEEN:
                yield filled(observation, guess)
                last = time.perf_counter()

    def _fit(self, observation: Observation, plan: Plan, rng: Generator) -> Iterator[Tensor]:
        """Yield the best answer so far after each step, `1 c h w`."""
        problem, fitting = self.begin(observation, plan, rng)
        rule, average = self.rule(problem, plan), RunningAverage(decay=self.decay)
        best, begin = observation.y, time.perf_counter()
        for step in range(1, plan.steps + 1):
            answer, _ = fitting.step()
            mean = average.update(answer)
            if rule.update(Moment(step=step, answer=answer, average=mean, error=problem.error(mean))):
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
                self.told["stopped by"] = rule.name if rule.done else Fixed.name
            yield best
            if rule.done:
                return

    def plan(self, observation: Observation) -> Plan:
        """Return the settings for a picture, what is known of it, and the noise that is found in it."""
        plan = plan_for(self.task, self.quality, observation.operator)
        if self.make_network.name not in SETTINGS or self.flash is not None:
            plan = by_adam(plan)
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
        unstopped = self._noise(observation) < LITTLE or self._norm(observation) == "l1"
        return replace(plan, stop="none") if unstopped and "stop" not in self.given else plan

    def begin(self, observation: Observation, plan: Plan, rng: Generator) -> tuple[Problem, Fitting]:
        """Return what is to be fitted, and the fit to it before its first step."""
        with torch.inference_mode(False):
            problem = self._problem(observation, plan, rng)
            return problem, self._fitting(problem, observation, plan, rng)

    def rule(self, problem: Problem, plan: Plan) -> Stopping:
        """Return what says when to stop."""
        if plan.stop == "none" or (plan.stop == "held-out" and not problem.left):
            return Fixed()
        rule = {"held-out": HeldOut, "moving-variance": MovingVariance, "averaged-variance": AveragedVariance}
        patience = {} if self.patience is None else {"patience": self.patience}
        made: Stopping = rule[plan.stop](**patience)
        return made

    def _problem(self, observation: Observation, plan: Plan, rng: Generator) -> Problem:
        """What is fitted: what was measured, as the task knows it or by another filter."""
        target, operator = measured(observation, self.task), observation.operator
        if self.downsampling != "task":
            sides = zip(observation.y.shape[-2:], target.shape[-2:], strict=True)
            factor = max(math.ceil(large / small) for large, small in sides)
            if factor < 2:
                raise ValueError("downsampling is for super-resolution: what was measured must be smaller")
            operator = Downsampler(factor=factor, kernel=self.downsampling, phase=self.phase)
        held_out = HELD_OUT if plan.stop == "held-out" else 0.0
        if plan.start == "masked":
            held_out = min(held_out, max(ENOUGH / target[0, 0].numel(), LEAST))
        return Problem(target, operator, held_out=held_out, rng=rng, norm=self._norm(observation))

    def _fitting(self, problem: Problem, observation: Observation, plan: Plan, rng: Generator) -> Fitting:
        """A new network, whose weights the generator decides, and its input."""
        y, settings = observation.y, settings_for(self.make_network)
        height, width = y.shape[-2:]
        own = plan.network if self.make_network.name == "skip" else settings.options
        channels = plan.channels if self.make_network.free else self.make_network.channels
        check_memory(self.make_network, channels, own, (height, width), y.device)
        shown: Shaken | Masked
        if self.flash is not None:
            shown = Shaken(self._with_flash(self.flash, y).to(y), 0.0, rng)
        elif plan.start == "mesh-grid":
            shown = Shaken(mesh_grid(height, width).to(y), plan.jitter, rng)
        elif plan.start == "masked":
            shown = Masked(y, problem.known * problem.shown, problem.shown, MASKED, rng)
        else:
            z, jitter = noise(channels, height, width, rng), [plan.jitter]
            if plan.start == "smoothed":
                seen = smoothed(*problem.seen(y, rng)).cpu()
                jitter = jitter * channels + [self._veil(observation, plan)] * seen.shape[1]
                z = torch.cat([z, seen], dim=1)
            shown = Shaken(z.to(y), jitter, rng)
        network = untrained(self.make_network, shown.channels, own, rng, y.device)
        lr = settings.lr if plan.lr is None else plan.lr

        def loss(x: Tensor) -> Tensor:
            return problem.loss(x, shown.hidden)

        return Fitting(network, shown, loss, lr=lr, optimiser=plan.optimiser)

    @staticmethod
    def _with_flash(path: str, y: Tensor) -> Tensor:
        """Read the picture of the same scene with flash, `1 c h w`."""
        z = read(Path(path)).pixels
        if z.shape[-2:] != y.shape[-2:]:
            sizes = [f"{one.shape[-1]}x{one.shape[-2]}" for one in (z, y)]
            raise ValueError("the picture with flash is {}, the other {}; they must be equal".format(*sizes))
        return z

    def _veil(self, observation: Observation, plan: Plan) -> float:
        """How much blurred copies of the picture are shaken."""
        if observation.operator is not None or not plan.jitter:
            return plan.jitter
        return max(plan.jitter, VEIL * self._noise(observation))

    def _noise(self, observation: Observation) -> float:
        return estimate_sigma(observation.y) if observation.sigma is None else observation.sigma

    def _norm(self, observation: Observation) -> Norm:
        return norm_for(measured(observation, self.task), self.task) if self.norm == "auto" else self.norm
