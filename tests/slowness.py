"""A task for worker processes, which import it by the name of this file."""

from __future__ import annotations

import os
import time
from pathlib import Path

from torch import Generator, Tensor


class Slow:
    """A task that takes its time, and says who works at it."""

    def __init__(self, folder: Path, seconds: float = 0.0) -> None:
        self.folder, self.seconds = folder, seconds

    def __call__(self, x: Tensor, rng: Generator) -> Tensor:
        (self.folder / str(os.getpid())).touch()
        time.sleep(self.seconds)
        return x
