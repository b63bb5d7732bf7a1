"""The fit of an untrained network to one picture, step by step."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from restoration.memory import free_memory, release_large_tensors
from restoration.randomness import DrawingFrom
from restoration_dip.fast.adam import Adam
from restoration_dip.fast.muon import Muon

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from torch import Generator, Tensor

    from restoration import NetworkMaker

Optimiser = Literal["adam", "muon"]

LARGEST_RISE = 5.0
"""The loss may rise by this many decibels from one step to the next; if it rises more, the step is undone."""
PROBE_SIDE = 128
"""The memory of a fit is measured with an input of this many pixels a side."""
BACKUP_EVERY = 10
"""The weights are backed up every so many steps, so that a step can be undone."""


def make_untrained(
    make_network: NetworkMaker, in_channels: int, options: Mapping[str, Any], rng: Generator, device: torch.device
) -> nn.Module:
    """Make a network for inputs of `in_channels` on a device; its initial weights are drawn with a seed from `rng`."""
    with DrawingFrom(torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=rng)))):
        return make_network(in_channels, options).to(device)


def check_memory(
    make_network: NetworkMaker,
    in_channels: int,
    options: Mapping[str, Any],
    size: tuple[int, int],
    device: torch.device,
) -> None:
    """Raise `ValueError` if a step of a fit to a picture of `size`, height and width, needs more memory than is free.

    A step takes about twice the memory of the activations that the network saves for its gradient. These are counted
    for a small input, and scaled to `size`.
    """
    height, width = size
    network = make_untrained(make_network, in_channels, options, torch.Generator(), device)
    probe = torch.zeros(1, in_channels, min(height, PROBE_SIDE), min(width, PROBE_SIDE), device=device)
    saved: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.inference_mode(False), torch.enable_grad():
        probe = probe.clone(memory_format=torch.channels_last)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            output = network(probe, probe, torch.ones(1, device=device))
    del output
    weights = sum(parameter.untyped_storage().nbytes() for parameter in network.parameters())
    needed = 2 * (sum(saved.values()) - weights) / (probe.shape[-2] * probe.shape[-1]) * height * width
    free = free_memory(device)
    if needed > free:
        share = math.sqrt(free / needed)
        raise ValueError(
            f"a fit of {width}x{height} pixels takes about {needed / 1e9:.0f} GB of memory, and {free / 1e9:.1f} are "
            f"free: make the picture smaller, to {int(share * width)}x{int(share * height)} or less"
        )


class Fitting:
    """Fits a network: each step lowers `loss(network(z))`, a number, for the input `z` of that step, `b c h w`.

    `make_input` returns the input of the next step. Batch norms use the statistics of the picture at hand, as in
    training. A step that raises the loss by more than 5 dB is undone, and the momentum that led to it is reset, as the
    published code means to do.
    """

    def __init__(
        self,
        network: nn.Module,
        make_input: Callable[[], Tensor],
        loss: Callable[[Tensor], Tensor],
        *,
        lr: float,
        optimiser: Optimiser = "adam",
    ) -> None:
        self.network = network.train().to(memory_format=torch.channels_last)
        self.make_input, self.loss = make_input, loss
        self.parameters: list[Tensor] = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimiser = (Muon if optimiser == "muon" else Adam)(self.parameters, lr)
        self.steps, self.last_loss = 0, float("inf")
        self.backup: list[Tensor] = []

    def step(self) -> tuple[Tensor, float]:
        """Make a step; return the output before it, `b c h w` in float32, and the loss of that output."""
        memory = nullcontext() if self.steps else release_large_tensors()
        with memory, torch.inference_mode(False), torch.enable_grad():
            z = self.make_input()
            output = self.network(z, z, torch.ones(1, device=z.device)).float()
            loss = self.loss(output)
            loss.backward()  # type: ignore[no-untyped-call]
            value = float(loss.detach())
            if value > self.last_loss * 10 ** (LARGEST_RISE / 10) and self.backup:
                with torch.no_grad():
                    torch._foreach_copy_(self.parameters, self.backup)
                self.optimiser.reset_momentum()  # or it goes there again, each time further
            else:
                self._back_up()  # before the step: the loss of these weights is known to be good
                self.optimiser.step()
            self.last_loss = value
            self.steps += 1
            self.optimiser.zero_grad()  # now: gradients that stay in memory until the next step fragment it
            torch.clear_autocast_cache()  # it holds the weights from before this step
        return output.detach(), value

    def _back_up(self) -> None:
        with torch.no_grad():
            if not self.backup:
                self.backup = [parameter.detach().clone() for parameter in self.parameters]
            elif self.steps % BACKUP_EVERY == 0:
                torch._foreach_copy_(self.backup, self.parameters)
