"""The batches of a training, step after step: of each, the rows of this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from restoration.training.patches import Patches


def batches(
    patches: Patches, *, batch: int, seed: int, start_step: int = 0, rank: int = 0, world_size: int = 1
) -> Iterator[tuple[Tensor, Tensor, Generator]]:
    """Yield for each step from `start_step` on clean and degraded patches, `b c h w`, and what an objective draws from.

    * `patches`: where they come from.
    * `batch`: rows of a batch; this process has those from `batch * rank // world_size` on.
    * `seed`: with the step it decides what is drawn.
    """
    step = start_step
    rows = slice(batch * rank // world_size, batch * (rank + 1) // world_size)
    while True:
        x, y = patches.batch(batch, torch.Generator().manual_seed((seed + 1) * 1_000_003 + step))
        yield x[rows], y[rows], torch.Generator().manual_seed((seed + 1) * 2_000_003 + step * world_size + rank)
        step += 1
