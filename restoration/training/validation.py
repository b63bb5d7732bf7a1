"""What a training is judged by: pictures that it never learns from, and the weights that did best on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from restoration.engine.shrinking import shrink
from restoration.images import read
from restoration.metrics import psnr
from restoration.picture import with_channels

if TYPE_CHECKING:
    from torch import Tensor, nn

    from restoration.images.folders import Pair
    from restoration.interfaces import Task

SHOWN = 4
"""Pictures held out that the preview shows."""
SIDE = 256
"""Pixels of a side, at most, of the middle of a picture that is scored."""


@dataclass(frozen=True)
class Best:
    """The weights of the best validation so far: its PSNR in dB, and the step after which it was."""

    psnr: float
    step: int
    weights: dict[str, Tensor]


class Validation:
    """Pictures held out, each degraded once for all, and what was the best on them.

    `task` degrades pictures that have no degraded twin, each by a seed of its own; all are shrunk to `working_size`
    before, if there is one. After a call, `preview` has the first few as rows of degraded, restored and clean,
    `1 c h w` in [0, 1].
    """

    def __init__(self, pairs: Sequence[Pair], task: Task, *, channels: int, working_size: int = 0) -> None:
        self.pictures = [_held_out(pair, task, channels, working_size, index) for index, pair in enumerate(pairs)]
        self.best: Best | None = None
        self.psnr: float | None = None
        self.preview: list[tuple[Tensor, Tensor, Tensor]] = []

    def __call__(self, restored: Callable[[Tensor], Tensor], network: nn.Module, step: int) -> float:
        """Return the mean PSNR (RGB, border 0) of what `restored` makes of the degraded pictures, in dB.

        The weights of `network`, which it works with, are kept where no validation before was as good.
        """
        scores, self.preview = [], []
        for x, y in self.pictures:
            guess = restored(y).float().cpu().clamp(0, 1)
            scores.append(psnr(guess, x))
            self.preview = [*self.preview, (y, guess, x)][:SHOWN]
        self.psnr = sum(scores) / len(scores)
        if self.best is None or self.psnr > self.best.psnr:
            kept = {name: value.detach().clone() for name, value in network.state_dict().items()}
            self.best = Best(self.psnr, step, kept)
        return self.psnr

    def state(self) -> list[Any] | None:
        """Return the best so far, as plain data and tensors."""
        return None if self.best is None else [self.best.psnr, self.best.step, self.best.weights]

    def restore(self, state: Sequence[Any] | None) -> None:
        """Go on from a state."""
        self.best = None if state is None else Best(*state)

    def record(self) -> dict[str, Any] | None:
        """Return what the best weights reached, and after which step, for a recipe."""
        if self.best is None:
            return None
        quality = round(self.best.psnr, 2)
        return {"psnr_rgb": quality, "pictures": len(self.pictures), "border": 0, "step": self.best.step}


def _held_out(pair: Pair, task: Task, channels: int, size: int, index: int) -> tuple[Tensor, Tensor]:
    """Return the middle of a clean picture, at the working size if there is one, and its degraded twin."""
    x = shrink(with_channels(read(pair.clean).pixels, channels), size)
    if pair.degraded:
        y = shrink(with_channels(read(pair.degraded).pixels, channels), size)
    else:
        y = task(x, torch.Generator().manual_seed(index))
    top, left = (max(0, (side - SIDE) // 2) for side in x.shape[-2:])
    window = (..., slice(top, top + SIDE), slice(left, left + SIDE))
    return x[window].contiguous(), y[window].contiguous()
