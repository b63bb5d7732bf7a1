"""What a training is judged by: pictures that it never learns from, and the weights that did best on them."""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from restoration.engine.shrinking import shrink
from restoration.errors import RestorationError
from restoration.metrics import psnr
from restoration.training.pictures import whole_pair

if TYPE_CHECKING:
    from torch import Tensor, nn

    from restoration.images.folders import Pair
    from restoration.interfaces import Task

log = logging.getLogger("restoration")

SHOWN = 4
"""Number of pictures that the preview shows."""
SIDE = 256
"""Pixels of a side, at most, of the middle of a picture that is scored."""


@dataclass(frozen=True)
class Best:
    """The weights of the best validation so far: its PSNR in dB, and the step after which it was."""

    psnr: float
    step: int
    weights: dict[str, Tensor]


class Validation:
    """Pictures for validation, each degraded once for all, and what was the best on them.

    `task` degrades pictures that have no degraded twin, each by a seed of its own; all are shrunk to `working_size`
    before, if there is one. After a call, `preview` has the first few as rows of degraded, restored and clean,
    `1 c h w` in [0, 1].
    """

    def __init__(self, pairs: Sequence[Pair], task: Task, *, channels: int, working_size: int = 0) -> None:
        self.pictures = [_middle(pair, task, channels, working_size, index) for index, pair in enumerate(pairs)]
        self.fingerprint = _fingerprint(self.pictures)
        if any(pair.degraded for pair in pairs) and all(torch.equal(x, y) for x, y in self.pictures):
            log.warning("the degraded pictures that are for validation are equal to the clean ones: are these pairs?")
        self.best: Best | None = None
        self.psnr: float | None = None
        self.preview: list[tuple[Tensor, Tensor, Tensor]] = []

    def __call__(self, restored: Callable[[Tensor], Tensor], network: nn.Module, step: int) -> float:
        """Return the mean PSNR (RGB, border 0) of what `restored` makes of the degraded pictures, in dB.

        The weights of `network`, which it works with, are kept where no validation before was as good. Raises
        `RestorationError` where what is restored is not finite.
        """
        scores, self.preview = [], []
        for x, y in self.pictures:
            guess = restored(y).float().cpu().clamp(0, 1)
            scores.append(psnr(guess, x))
            self.preview = [*self.preview, (y, guess, x)][:SHOWN]
        self.psnr = sum(scores) / len(scores)
        if math.isnan(self.psnr):
            raise RestorationError(f"what is restored after step {step} is not finite; go on with --precision fp32")
        if self.best is None or self.psnr > self.best.psnr:
            kept = {name: value.detach().clone() for name, value in network.state_dict().items()}
            self.best = Best(self.psnr, step, kept)
        return self.psnr

    def state(self) -> dict[str, Any]:
        """Return the best so far, as plain data and tensors."""
        best = None if self.best is None else [self.best.psnr, self.best.step, self.best.weights]
        return {"best": best, "psnr": self.psnr, "fingerprint": self.fingerprint}

    def load_state(self, state: dict[str, Any]) -> bool:
        """Go on from a state, and return whether it was of the same pictures; of others it says nothing."""
        if state["fingerprint"] != self.fingerprint:
            return False
        self.best = None if state["best"] is None else Best(*state["best"])
        self.psnr = state["psnr"]
        return True

    def record(self) -> dict[str, Any] | None:
        """Return what the best weights reached, and after which step, for a recipe."""
        if self.best is None:
            return None
        quality = round(self.best.psnr, 2)
        return {"psnr_rgb": quality, "pictures": len(self.pictures), "border": 0, "step": self.best.step}


def _middle(pair: Pair, task: Task, channels: int, size: int, index: int) -> tuple[Tensor, Tensor]:
    """Return the middle of a clean picture, at the working size if there is one, and its degraded twin."""
    x, y = (None if one is None else shrink(one, size) for one in whole_pair(pair, task, channels))
    assert x is not None
    if y is None:
        y = task(x, torch.Generator().manual_seed(index))
    top, left = (max(0, (side - SIDE) // 2) for side in x.shape[-2:])
    window = (..., slice(top, top + SIDE), slice(left, left + SIDE))
    return x[window].contiguous(), y[window].contiguous()


def _fingerprint(pictures: Sequence[tuple[Tensor, Tensor]]) -> int:
    """Return a number that other pictures, or the same in another order, would hardly have."""
    crc = 0
    for x, y in pictures:
        crc = zlib.crc32(y.numpy(), zlib.crc32(x.numpy(), crc))  # type: ignore[arg-type]
    return crc
