"""What a process of several does in tests of training together; imported by each of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from msgspec.structs import replace
from small import SMALL
from torch import Tensor

from restoration.errors import RestorationError
from restoration.recipe import Part, Parts, Recipe, default_recipe
from restoration.training.loop import Trainer
from restoration.training.parallel import join
from restoration.training.settings import Training

STEPS = 10
ALL = Training(steps=100, batch=5, patch=16, warmup=3, lr=1e-3, held_out=1, precision="fp32", clip=1e6)
"""A batch that two processes cannot halve; a clipped gradient would hide a wrong size of it, as Adam does."""


class Entangled:
    """An objective that a slice of the batch cannot compute: it calls the network on its own answers, other rows of
    them each time, and weighs every image by the losses of all."""

    def loss(self, network: Any, schedule: Any, x: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        n = 0.1 * torch.randn(x.shape, generator=rng)
        first = network(y + n, y, torch.ones(x.shape[0]))
        again = network(first[2:], y[:-2], torch.full((1,), 0.5))
        errors = (torch.cat([again, first[:2]]) - x).square().mean(dim=(1, 2, 3))
        return errors * (1 + errors.mean())


def recipes() -> dict[str, Recipe]:
    walk = replace(default_recipe("ir-sde", "derain"), network=Part("nafnet-compact", SMALL))

    def rectified(share: float) -> Recipe:
        return replace(walk, objective=Part("clean-matching", {"rectification": share}))

    normed = Part("dncnn", {"width": 8, "depth": 4})
    return {
        "all rows of the first estimate": rectified(1.0),
        "two rows of it": rectified(0.4),
        "one row of it, fewer than processes": rectified(0.2),
        "a batch norm": replace(default_recipe("regression", "denoise"), network=normed),
        "entangled": replace(default_recipe("regression", "denoise"), network=Part("nafnet-compact", SMALL)),
    }


def train_all(pictures: Path, observe: Callable[[Any], None]) -> dict[str, Any]:
    """Take some steps with every recipe; return losses, weights, gradients, and checks of them by process."""
    torch.set_num_threads(1)
    processes = join(torch.device("cpu"))
    result = {}
    for name, recipe in recipes().items():
        trainer = Trainer(recipe, pictures, ALL, "cpu", processes)
        if name == "entangled":
            trainer.parts = Parts(**{**vars(trainer.parts), "objective": Entangled()})
        losses = []
        for _ in range(STEPS):
            before = trainer.loss
            trainer.advance()
            losses.append(before + (trainer.loss - before) * trainer.step)
        state = {key: value.clone() for key, value in trainer.average.state_dict().items()}
        state |= {f"gradient of {key}": value.grad.clone() for key, value in trainer.network.named_parameters()}
        crc = zlib.crc32(torch.cat([value.flatten().double() for value in state.values()]).numpy())
        result[name] = (losses, state, processes.gather(crc), torch.equal(*draws(trainer)))
        observe(name)
    try:
        processes.agree({"set of pictures": 1, "recipe": processes.rank})
    except RestorationError as error:
        result["disagreement"] = str(error)
    return result


def draws(trainer: Trainer) -> tuple[Tensor, Tensor]:
    """The next numbers of the generator, as the first process and as this one would draw them."""
    own = torch.rand(4, generator=trainer.rng)
    return trainer.processes.from_first(own), own


def fail(observe):
    """Work of which the second process fails, while the first waits for it."""
    processes = join(torch.device("cpu"))
    if not processes.first:
        raise ZeroDivisionError("the second one fails\nin two lines")
    processes.gather(0)
