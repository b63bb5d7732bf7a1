"""The fit of an untrained network to one picture, step by step."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Literal

import torch
from restoration_dip.fast.adam import Adam
from restoration_dip.fast.muon import Muon
from torch import nn

from restoration.engine.hardware import first_time
from restoration.memory import free_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from torch import Generator, Tensor

    from restoration import NetworkMaker

Optimiser = Literal["adam", "muon"]

FALL = 5.0
"""Decibels by which the fit may get worse from one step to the next before the step is taken back."""
PART = 128
"""Side of the part of a picture that tells how much memory the whole takes."""
KEPT_EVERY = 10
"""Steps between the weights that are kept for that."""


def untrained(
    make_network: NetworkMaker, in_channels: int, options: Mapping[str, Any], rng: Generator, device: torch.device
) -> nn.Module:
    """Return a new network on the device that is shown `in_channels`; the generator decides its weights."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=rng)))
        return make_network(in_channels, options).to(device)


def check_memory(
    make_network: NetworkMaker,
    in_channels: int,
    options: Mapping[str, Any],
    size: tuple[int, int],
    device: torch.device,
) -> None:
    """Raise `ValueError` if a step of a fit to `size`, height and width, would need more memory than is free.

    It takes about twice what the network keeps for its gradient, which is measured on a small input.
    """
    height, width = size
    network = untrained(make_network, in_channels, options, torch.Generator(), device)
    part = torch.zeros(1, in_channels, min(height, PART), min(width, PART), device=device)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.inference_mode(False), torch.enable_grad():
        part = part.clone(memory_format=torch.channels_last)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            answer = network(part, part, torch.ones(1, device=device))
    del answer
    weights = sum(parameter.untyped_storage().nbytes() for parameter in network.parameters())
    needed = 2 * (sum(kept.values()) - weights) / (part.shape[-2] * part.shape[-1]) * height * width
    free = free_memory(device)
    if needed > free:
        share = math.sqrt(free / needed)
        raise ValueError(
            f"a fit of {width}x{height} pixels takes about {needed / 1e9:.0f} GB of memory, and {free / 1e9:.1f} are "
            f"free: make the picture smaller, to {int(share * width)}x{int(share * height)} or less"
        )


class Fitting:
    """Fits `network(z)` to what was measured: steps down `loss(answer)`, a number, for the input `z` of the moment.

    `shown` gives an input for each step, `b c h w`. Batch norms work on the picture at hand, as in training. A step
    that makes the loss worse by 5 dB is taken back with the momentum that led to it, as the published code means to do.
    """

    def __init__(
        self,
        network: nn.Module,
        shown: Callable[[], Tensor],
        loss: Callable[[Tensor], Tensor],
        *,
        lr: float,
        optimiser: Optimiser = "adam",
    ) -> None:
        self.network = network.train().to(memory_format=torch.channels_last)
        self.shown, self.loss = shown, loss
        self.parameters: list[Tensor] = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimiser = (Muon if optimiser == "muon" else Adam)(self.parameters, lr)
        self.steps, self.last = 0, float("inf")
        self.kept: list[Tensor] = []

    def step(self) -> tuple[Tensor, float]:
        """Make a step; return the answer that it was made from, `b c h w` in float32, and its loss."""
        memory = nullcontext() if self.steps else first_time()
        with memory, torch.inference_mode(False), torch.enable_grad():
            z = self.shown()
            answer = self.network(z, z, torch.ones(1, device=z.device)).float()
            loss = self.loss(answer)
            loss.backward()  # type: ignore[no-untyped-call]
            value = float(loss.detach())
            if value > self.last * 10 ** (FALL / 10) and self.kept:
                with torch.no_grad():
                    torch._foreach_copy_(self.parameters, self.kept)
                self.optimiser.halt()  # or it goes there again, each time further
            else:
                self._keep()  # before the step: what is kept must be known to be good
                self.optimiser.step()
            self.last = value
            self.steps += 1
            self.optimiser.forget()  # now: gradients that lie about in memory break it into pieces
            torch.clear_autocast_cache()  # it holds the weights before this step
        return answer.detach(), value

    def _keep(self) -> None:
        with torch.no_grad():
            if not self.kept:
                self.kept = [parameter.detach().clone() for parameter in self.parameters]
            elif self.steps % KEPT_EVERY == 0:
                torch._foreach_copy_(self.kept, self.parameters)
