"""Zero-Shot Noise2Noise: a very small network is fitted to one noisy picture, in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.nn import functional
from torch.optim.adam import adam

from restoration import BoundedNetwork
from restoration.randomness import DrawingFrom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Generator, Tensor, nn

    from restoration import NetworkMaker, Observation

Quality = Literal["fast", "balanced", "paper"]

DECAY = 0.98
"""The decay of the average of the weights, whose answer is the result."""
WARM_UP = 10
"""Steps in which the learning rate rises."""
GUESSES = 10
"""The number of guesses that a fit yields: each costs an evaluation of the whole picture."""
STRIPE = 1 << 20
"""Pixels of the parts that a large picture is evaluated in."""
GRID = 32
"""Parts begin at multiples of this many rows, so that what networks halve is the same as in the whole."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a fit is done: so many `steps`, each on `number` windows of `side` pixels, or on the whole picture at 0."""

    steps: int
    lr: float
    side: int = 0
    number: int = 1


PLANS: dict[Quality, Plan] = {
    "fast": Plan(steps=500, lr=8e-3, side=32, number=4),
    "balanced": Plan(steps=1500, lr=8e-3, side=32, number=4),
    "paper": Plan(steps=2000, lr=1e-3),
}
"""The published plan takes all pixels in each step; windows of few, and more steps for their time, are much quicker."""


class ZeroShot:
    """Denoises a picture by itself (Mansour and Heckel, Zero-Shot Noise2Noise, CVPR 2023, arXiv:2303.11253).

    Two pictures of half the size, of the means of the two diagonals of each cell of 2x2 pixels, have noise that is
    independent where that of pixels is. The network maps each to the other (equation 5), and what it makes of them
    agrees with what it makes of the picture (equation 6).

    * `make_network`: makes the network.
    * `quality`: chooses the settings, see `PLANS`; each of the other options changes one of them.
    * `steps`: the number of steps.
    * `lr`: the learning rate of Adam.
    * `side`, `number`: the side of the windows of a step, in pixels, and how many there are; with a side of 0 a step
      takes the whole picture.
    """

    def __init__(
        self,
        *,
        make_network: NetworkMaker,
        quality: Quality = "balanced",
        steps: int | None = None,
        lr: float | None = None,
        side: int | None = None,
        number: int | None = None,
    ) -> None:
        given: dict[str, Any] = {"steps": steps, "lr": lr, "side": side, "number": number}
        self.plan = replace(PLANS[quality], **{name: value for name, value in given.items() if value is not None})
        if min(self.plan.steps, self.plan.number) < 1 or self.plan.lr <= 0 or self.plan.side < 0:
            raise ValueError("steps and number must be at least 1, lr above 0 and side at least 0")
        if self.plan.side % 2:
            raise ValueError(f"side must be even, not {self.plan.side}")
        self.make_network, self.falls = make_network, quality != "paper"
        self.told: dict[str, Any] = {}

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield what the averaged weights make of the picture, `b c h w`, some ten times on the way."""
        y, plan = observation.y, self.plan
        with torch.inference_mode(False):
            y = y.clone()
            with DrawingFrom(torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=rng)))):
                network = self.make_network().to(y.device).to(memory_format=torch.channels_last)
            fit = Fit(network, plan, falls=self.falls)
        inner, card = network.network, self.make_network.card
        reach = inner.reach if isinstance(inner, BoundedNetwork) else card.reach
        every = max(1, plan.steps // GUESSES)
        for step in range(1, plan.steps + 1):
            fit.step(self._windows(y, rng))
            if step % every == 0 or step == plan.steps:
                self.told = {"iteration": step, "of": plan.steps}
                yield fit.restored(y, reach if card.tiles else None)

    def _windows(self, y: Tensor, rng: Generator) -> Tensor:
        """Draw windows of even sides for a step, `n c h w`; a picture of one row or column is repeated before."""
        if min(y.shape[-2:]) < 2:
            y = functional.pad(y, (0, int(y.shape[-1] < 2), 0, int(y.shape[-2] < 2)), mode="replicate")
        height, width = y.shape[-2:]
        sides = [min(self.plan.side or side, side) // 2 * 2 for side in (height, width)]
        if not self.plan.side or sides == [height, width]:
            return y[..., : height // 2 * 2, : width // 2 * 2]
        free = torch.tensor([height - sides[0] + 1, width - sides[1] + 1])
        places = (torch.rand(self.plan.number, 2, generator=rng) * free).long().tolist()
        return torch.cat([y[..., top : top + sides[0], left : left + sides[1]] for top, left in places])


class Fit:
    """A network that is fitted, and the average of its weights.

    The learning rate rises for some steps and `falls` by a cosine; or, as published, by half every thousand steps.
    """

    def __init__(self, network: nn.Module, plan: Plan, *, falls: bool) -> None:
        self.network, self.plan, self.falls = network.train(), plan, falls
        self.parameters: list[Tensor] = [one for one in network.parameters() if one.requires_grad]
        self.average = [one.detach().clone() for one in self.parameters]
        self.means = [torch.zeros_like(one) for one in self.parameters]
        self.squares = [torch.zeros_like(one) for one in self.parameters]
        self.counts = [torch.zeros((), device=one.device) for one in self.parameters]
        self.steps = 0

    def rate(self) -> float:
        """Return the learning rate of the next step."""
        if not self.falls:
            return self.plan.lr * 0.5 ** (self.steps // 1000)
        return (
            self.plan.lr
            * min(1.0, (self.steps + 1) / WARM_UP)
            * (1 + math.cos(math.pi * self.steps / self.plan.steps))
            / 2
        )

    def step(self, y: Tensor) -> None:
        """Make a step for windows `n c h w` with even sides."""
        with torch.inference_mode(False), torch.enable_grad():
            loss = symmetric_loss(self._called, y)
            gradients = torch.autograd.grad(loss, self.parameters)
        with torch.no_grad():
            adam(
                self.parameters,
                [*gradients],
                self.means,
                self.squares,
                [],
                self.counts,
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=self.rate(),
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )
            self.steps += 1
            torch._foreach_lerp_(self.average, self.parameters, max(1 - DECAY, 1 / (1 + self.steps / 5)))
        torch.clear_autocast_cache()  # it holds the weights from before this step

    def restored(self, y: Tensor, reach: int | None) -> Tensor:
        """Return what the averaged weights make of a picture, `b c h w`, in parts of it if they are known to fit."""
        fitted = [one.detach().clone() for one in self.parameters]
        with torch.no_grad():
            torch._foreach_copy_(self.parameters, self.average)
            self.network.eval()
            answer = in_stripes(self._called, y, reach)
            torch._foreach_copy_(self.parameters, fitted)
            self.network.train()
        torch.clear_autocast_cache()
        return answer

    def _called(self, y: Tensor) -> Tensor:
        answer: Tensor = self.network(y, y, torch.ones(1, device=y.device))
        return answer.float()


def symmetric_loss(clean: Callable[[Tensor], Tensor], y: Tensor) -> Tensor:
    """Return the loss of a function from noisy to clean pictures for noisy ones, `b c h w` with even sides: a number.

    The mean of equations 5, in both directions, and 6.
    """
    halves = diagonal_means(y)
    answers = clean(torch.cat(halves)).chunk(2)
    later = diagonal_means(clean(y))
    pairs = [*zip(answers, reversed(halves), strict=True), *zip(answers, later, strict=True)]
    return torch.stack([functional.mse_loss(one, other) for one, other in pairs]).sum() / 2


def diagonal_means(y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means of the two diagonals of each cell of 2x2 pixels: of `b c h w` two of half the size."""
    left, right = y[..., 0::2], y[..., 1::2]
    return (left[..., 0::2, :] + right[..., 1::2, :]) / 2, (right[..., 0::2, :] + left[..., 1::2, :]) / 2


def in_stripes(clean: Callable[[Tensor], Tensor], y: Tensor, reach: int | None) -> Tensor:
    """Apply a function that sees `reach` pixels far to `b c h w`, to some rows at a time; without a reach to all."""
    height, width = y.shape[-2:]
    rows = height if reach is None else max(1, STRIPE // width // GRID) * GRID
    stripes = []
    for top in range(0, height, rows):
        begin = max(0, top - (reach or 0)) // GRID * GRID
        end = min(height, top + rows + (reach or 0))
        stripes.append(clean(y[..., begin:end, :])[..., top - begin : top - begin + min(rows, height - top), :])
    return stripes[0] if len(stripes) == 1 else torch.cat(stripes, dim=-2)
