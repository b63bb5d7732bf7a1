"""Some steps with every kind of recipe, alone or in one of several processes: `python together.py PICTURES OUT`.

Rank 0 writes losses and weights to OUT, with the sum of the weights of each process, and a whole training beside it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from msgspec.structs import replace
from small import SMALL

from restoration.errors import RestorationError
from restoration.images.folders import pairs_in
from restoration.recipe import Part, Recipe, build_task, default_recipe
from restoration.training.batches import Batches
from restoration.training.loop import train
from restoration.training.parallel import Processes, join
from restoration.training.patches import Patches
from restoration.training.settings import Training
from restoration.training.trainer import Trainer

ALL = Training(steps=6, batch=5, patch=16, lr=1e-3, weight_decay=0.1, precision="fp32", clip=1e6)
"""A batch that two processes cannot halve; a clipped gradient would hide a wrong size of it, as Adam does."""
WHOLE = replace(ALL, steps=4, held_out=1, validate_every=2, log_every=1)
"""A training with its folder."""


def recipes() -> dict[str, Recipe]:
    """Return recipes that use the network in every way: once, again on its answer, and in parts."""
    network = Part("nafnet-compact", SMALL)
    walk = replace(default_recipe("ir-sde", "derain"), network=network)
    pair = SMALL | {"latent_channels": 4, "autoencoder_width": 4, "multipliers": [1, 2]}
    latent = replace(default_recipe("latent-ir-sde", "derain"), network=Part("latent-pair", pair))
    return {
        "one call": replace(default_recipe("regression", "denoise"), network=network),
        "two calls": replace(walk, objective=Part("clean-matching", {"rectification": 0.5})),
        "parts of the network": latent,
        "a part that is not trained": replace(latent, objective=Part("latent-matching", {"stage": "denoiser"})),
    }


def trainer_and_batches(
    recipe: Recipe, pictures: Path, settings: Training, processes: Processes | None = None
) -> tuple[Trainer, Batches]:
    """Return a training in its beginning, and its batches."""
    processes = processes or Processes(device=torch.device("cpu"))
    patches = Patches(pairs_in(pictures), build_task(recipe), size=settings.patch, channels=len(recipe.channels))
    among = {"rank": processes.rank, "world_size": processes.world_size}
    drawn = Batches(patches, batch=settings.batch, seed=settings.seed, steps=settings.steps, **among)
    return Trainer(recipe, settings, processes, Path()), drawn


def train_all(pictures: Path, processes: Processes) -> dict[str, Any]:
    """Take all steps with every recipe; return losses, weights, and the sum of the weights in each process."""
    result: dict[str, Any] = {}
    for name, recipe in recipes().items():
        trainer, batches = trainer_and_batches(recipe, pictures, ALL, processes)
        losses, mean = [], 0.0
        for batch in batches:
            trainer.advance(*batch)
            before, mean = mean, trainer.checked_loss()
            losses.append(before + (mean - before) * trainer.step)
        weights = {key: value.clone() for key, value in trainer.average.state_dict().items()}
        total = sum(float(value.double().sum()) for value in trainer.network.state_dict().values())
        result[name] = {"losses": losses, "weights": weights, "sums": processes.gather(total)}
    try:
        processes.agree({"set of pictures": 1, "recipe": processes.rank})
    except RestorationError as error:
        result["disagreement"] = str(error)
    return result


def train_whole(pictures: Path, out: Path) -> None:
    """Train one recipe from its beginning to a folder of weights."""
    train(recipes()["two calls"], pictures, out, WHOLE, device="cpu")


if __name__ == "__main__":
    torch.set_num_threads(1)
    ours = join("cpu")
    pictures, result = Path(sys.argv[1]), Path(sys.argv[2])
    trained = train_all(pictures, ours)
    if ours.rank == 0:
        torch.save(trained, result)
    train_whole(pictures, result.parent / "out")
