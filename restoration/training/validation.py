"""What a training is judged by: pictures that it never learns from, and the weights that did best on them."""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from restoration.engine.shrinking import shrink
from restoration.errors import RestorationError
from restoration.framing import enlargement
from restoration.interfaces import Observation
from restoration.metrics import psnr
from restoration.tasks import observe
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

HIGHEST = 100.0
"""PSNR in dB that a picture counts with at most: one that is restored exactly would hide all others in the mean."""


@dataclass(frozen=True)
class Best:
    """The weights of the best validation so far: its PSNR in dB, and the step after which it was."""

    psnr: float
    step: int
    weights: dict[str, Tensor]


class Validation:
    """Pictures for validation, each degraded once for all, and what was the best on them.

    `task` degrades pictures that have no degraded twin, each by a seed of its own; all are shrunk to `working_size`
    before, if there is one. A network that `enlarges` is shown the small pictures too. After a call, `preview` has the
    first few as rows of degraded, restored and clean, `1 c h w` in [0, 1].
    """

    def __init__(
        self, pairs: Sequence[Pair], task: Task, *, channels: int, working_size: int = 0, enlarges: bool = False
    ) -> None:
        middle = partial(_middle, task=task, channels=channels, size=working_size, enlarges=enlarges)
        self.pictures = [middle(pair, index=index) for index, pair in enumerate(pairs)]
        self.fingerprint = _fingerprint(self.pictures)
        if any(pair.degraded for pair in pairs) and all(torch.equal(x, seen.y) for x, seen in self.pictures):
            log.warning("the degraded pictures that are for validation are equal to the clean ones: are these pairs?")
        self.best: Best | None = None
        self.psnr: float | None = None
        self.step = 0
        self.preview: list[tuple[Tensor, Tensor, Tensor]] = []

    def __call__(self, restored: Callable[[Observation], Tensor], network: nn.Module, step: int) -> float:
        """Return the mean PSNR (RGB, border 0) of what `restored` makes of what was observed, in dB, see `HIGHEST`.

        The weights of `network`, which it works with, are kept where no validation before was as good. Raises
        `RestorationError` where what is restored is not finite.
        """
        scores, self.preview = [], []
        for x, seen in self.pictures:
            guess = restored(seen).float().cpu().clamp(0, 1)
            scores.append(min(psnr(guess, x), HIGHEST))
            self.preview = [*self.preview, (seen.y, guess, x)][:SHOWN]
        self.psnr, self.step = sum(scores) / len(scores), step
        if math.isnan(self.psnr):
            raise RestorationError(f"what is restored after step {step} is not finite; go on with --precision fp32")
        if self.best is None or self.psnr > self.best.psnr:
            kept = {name: value.detach().clone() for name, value in network.state_dict().items()}
            self.best = Best(self.psnr, step, kept)
        return self.psnr

    def state(self) -> dict[str, Any]:
        """Return the best so far, as plain data and tensors."""
        best = None if self.best is None else [self.best.psnr, self.best.step, self.best.weights]
        return {"best": best, "psnr": self.psnr, "step": self.step, "fingerprint": self.fingerprint}

    def load_state(self, state: dict[str, Any]) -> bool:
        """Go on from a state, and return whether it was of the same pictures; of others it says nothing."""
        if state["fingerprint"] != self.fingerprint:
            return False
        self.best = None if state["best"] is None else Best(*state["best"])
        self.psnr, self.step = state["psnr"], state.get("step", 0)
        return True

    def record(self, keep: str = "best") -> dict[str, Any] | None:
        """Return what the best or the last weights reached, and after which step, for a recipe."""
        if self.best is None or self.psnr is None:
            return None
        psnr, step = (self.best.psnr, self.best.step) if keep == "best" else (self.psnr, self.step)
        return {"psnr_rgb": round(psnr, 2), "pictures": len(self.pictures), "border": 0, "step": step}


def _middle(
    pair: Pair, *, task: Task, channels: int, size: int, index: int, enlarges: bool
) -> tuple[Tensor, Observation]:
    """Return the middle of a clean picture, at the working size if there is one, and what is shown of it."""
    x, seen = whole_pair(pair, task, channels)
    x = shrink(x, size)
    if seen is None:
        rng = torch.Generator().manual_seed(index)
        seen = observe(task, x, rng) if enlarges else Observation(y=task(x, rng))
    y, small = shrink(seen.y, size), seen.measured if enlarges else None
    scale = 1 if small is None else enlargement(y, small)
    top, left = (max(0, (side - SIDE) // 2) // scale for side in x.shape[-2:])
    side = SIDE // scale
    measured = None if small is None else small[..., top : top + side, left : left + side].contiguous()
    top, left, side = scale * top, scale * left, scale * side
    window = (..., slice(top, top + side), slice(left, left + side))
    return x[window].contiguous(), Observation(y=y[window].contiguous(), measured=measured)


def _fingerprint(pictures: Sequence[tuple[Tensor, Observation]]) -> int:
    """Return a number that other pictures, or the same in another order, would hardly have."""
    crc = 0
    for x, seen in pictures:
        crc = zlib.crc32(seen.y.numpy(), zlib.crc32(x.numpy(), crc))  # type: ignore[arg-type]
    return crc
