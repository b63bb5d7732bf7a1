"""Batches of patches, step after step: the same ones however many processes and workers share the drawing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader, Dataset

from restoration.randomness import RowGenerators

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.training.patches import Patches

    Batch = tuple[Tensor, Tensor, RowGenerators]


class Batches:
    """The batches of a training from `start_step` on, as process `rank` of `world_size` sees them: its rows of each.

    Iterate over it for `(x, y, rng)`: clean and degraded patches, `b c h w` in [0, 1], and a generator a row for the
    objective. All depend on `seed`, the step and the place of a row in the whole `batch` alone.
    """

    def __init__(
        self,
        patches: Patches,
        *,
        batch: int,
        seed: int,
        steps: int,
        start_step: int = 0,
        rank: int = 0,
        world_size: int = 1,
        workers: int = 0,
        pin: bool = False,
    ) -> None:
        self.seed, self.steps = seed, range(start_step, steps)
        self.rows = range(batch * rank // world_size, batch * (rank + 1) // world_size)
        self.loader = DataLoader(
            Steps(patches, seed, self.rows),
            batch_size=None,
            sampler=self.steps,
            num_workers=workers,
            pin_memory=pin,
            generator=torch.Generator(),  # it draws a number from it, of no use here; the global one is for layers
        )

    def __iter__(self) -> Iterator[Batch]:
        for step, (x, y) in zip(self.steps, self.loader, strict=True):
            yield x, y, RowGenerators.keyed("loss", self.seed, step, rows=self.rows)


class Steps(Dataset["tuple[Tensor, Tensor]"]):
    """The patches of some rows of every step."""

    def __init__(self, patches: Patches, seed: int, rows: range) -> None:
        self.patches, self.seed, self.rows = patches, seed, rows

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """Draw the patches of a step, on one thread: sums must not depend on how many there are."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            pairs = [self.patches.row(self.seed, step, row) for row in self.rows]
        finally:
            torch.set_num_threads(threads)
        clean, degraded = zip(*pairs, strict=True)
        return torch.stack(clean), torch.stack(degraded)
