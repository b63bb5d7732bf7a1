"""Batches of patches, step after step: the same ones however many processes and workers share the drawing."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from restoration.errors import RestorationError
from restoration.randomness import RowGenerators
from restoration.training.workers import Failure, Payload, interrupts_deferred, prepare_worker, start_method

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.training.patches import Patches

    Batch = tuple[Tensor, Tensor, RowGenerators]


DRAWN_SINCE = "0.6.0"
"""The version of the toolbox since which batches are drawn as they are here; a record of a training names it."""


class Batches:
    """The batches of a training from a step on, of which each process has its own rows.

    Iterate over it for `(x, y, rng)`: clean and degraded patches, `b c h w` in [0, 1], and a generator a row for the
    objective. All depend on `seed`, the step and the place of a row in the whole batch alone.

    * `patches`: where they come from.
    * `batch`: the number of rows of a batch, of all processes together.
    * `seed`: the random numbers of a row depend on it, the step and the number of the row.
    * `steps`: the number of steps of the whole training.
    * `start_step`: the first step of these batches, counted from 0.
    * `rank`, `world_size`: which of how many processes this is.
    * `workers`: the number of processes that prepare batches; 0 for this one.
    * `pin`: whether the batches go to a GPU.

    Raises `RestorationError` where a picture cannot be read, or a worker ended before its time.
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # more workers than cores are the user's choice
            self.loader = DataLoader(
                Steps(patches, seed, self.rows),
                batch_size=None,
                sampler=self.steps,
                num_workers=workers,
                multiprocessing_context=start_method() if workers else None,
                worker_init_fn=prepare_worker,
                pin_memory=pin,
                generator=torch.Generator(),  # a number is drawn from it, of no use; the global one is for layers
            )

    def __iter__(self) -> Generator[Batch]:
        """Yield the batches; the workers end with the last one, or when the iterator is closed."""
        with interrupts_deferred():
            batches = iter(self.loader)
        try:
            for step in self.steps:
                with one_line_errors():
                    drawn = next(batches)
                if isinstance(drawn, Failure):
                    raise drawn.error()
                yield *drawn, RowGenerators.keyed("loss", self.seed, step, rows=self.rows)
        finally:
            end = getattr(batches, "_shutdown_workers", None)  # none without workers; else it would wait for `del`
            if end is not None:
                end()


class Steps(Dataset["tuple[Tensor, Tensor] | Failure"]):
    """The patches of some rows of every step; where a worker fails to draw them, what went wrong."""

    def __init__(self, patches: Patches, seed: int, rows: range) -> None:
        self.payload, self.seed, self.rows = Payload(patches), seed, rows

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor] | Failure:
        """Draw the patches of a step, `b c h w` each."""
        if get_worker_info() is None:
            return self._drawn(step)
        try:
            return self._drawn(step)
        except Exception as error:
            return Failure.of(error)

    def _drawn(self, step: int) -> tuple[Tensor, Tensor]:
        """Draw on one thread: sums must not depend on how many there are."""
        patches: Patches = self.payload.unpacked()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            rows = [patches.row(self.seed, step, row) for row in self.rows]
        finally:
            torch.set_num_threads(threads)
        clean, degraded = zip(*rows, strict=True)
        return torch.stack(clean), torch.stack(degraded)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Say in one line that a worker has ended before its time."""
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise RestorationError(
            "a process that draws batches has ended, for want of memory unless it has said why; the same command goes "
            "on from the last checkpoint, and may have fewer --workers"
        ) from error
