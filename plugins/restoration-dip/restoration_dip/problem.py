"""What a fit is measured by: the picture as it was observed, with some of it held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from restoration.operators import Masking

if TYPE_CHECKING:
    from torch import Generator

    from restoration import Observation, Operator

KNOWN = {"inpaint": "where the holes are", "sr": "the scale", "deblur": "the kernel: --kernel FILE"}
"""What a task must say about the picture."""


def measured(observation: Observation, task: str) -> Tensor:
    """Return a copy of what was measured of one picture. Raises `ValueError` if more come, or too little is known."""
    if observation.y.shape[0] != 1:
        raise ValueError("it is fitted to one picture at a time")
    if task in KNOWN and observation.operator is None:
        raise ValueError(f"it must know {KNOWN[task]}")
    return (observation.y if observation.measured is None else observation.measured).clone()


class Problem:
    """`|A x - y|^2` over what was measured, `b c h w`, but for a share that is held out to know when to stop.

    Pixels that a mask hides are neither fitted nor held out. Held-out pixels are drawn with `rng`, all channels of one
    together, at least one but never the only one.
    """

    def __init__(self, measured: Tensor, operator: Operator | None, *, held_out: float, rng: Generator) -> None:
        self.operator = None if isinstance(operator, Masking) else operator
        known = operator.mask.to(measured) if isinstance(operator, Masking) else torch.ones_like(measured[:, :1])
        self.target = measured
        self.hidden = _drawn(known, held_out, rng)
        self.shown = known - self.hidden
        self.number, self.left = (float(part.sum()) * measured.shape[1] for part in (self.shown, self.hidden))
        if self.number == 0:
            raise ValueError("nothing of the picture is known")

    def loss(self, x: Tensor) -> Tensor:
        """Return the mean squared error on the pixels that are shown."""
        return ((self._seen(x) - self.target).square() * self.shown).sum() / self.number

    def error(self, x: Tensor) -> float | None:
        """Return the mean squared error on the pixels that are held out, None if there are none."""
        if not self.left:
            return None
        return float(((self._seen(x) - self.target).square() * self.hidden).sum()) / self.left

    def _seen(self, x: Tensor) -> Tensor:
        return x if self.operator is None else self.operator(x)


def _drawn(known: Tensor, share: float, rng: Generator) -> Tensor:
    """Draw a share of the pixels where `known`, `b 1 h w`, is 1: one at least, but never the only one."""
    drawn, number = known.new_zeros(known.numel()), int(known.sum())
    if share and number > 1:
        lots = known * (1 + torch.rand(known.shape, generator=rng)).to(known)
        drawn[lots.flatten().topk(min(max(1, round(share * number)), number - 1)).indices] = 1
    return drawn.reshape(known.shape)
