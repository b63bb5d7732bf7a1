"""What a fit is measured by: the picture as it was observed, with some of it held out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from restoration.noise_level import impulse_share
from restoration.operators import Masking

if TYPE_CHECKING:
    from torch import Generator

    from restoration import Observation, Operator

Norm = Literal["l1", "l2"]
KNOWN = {"inpaint": "where the holes are", "sr": "the scale", "deblur": "the kernel: --kernel FILE"}
"""What a task must say about the picture."""
IMPULSES = 0.01
"""Share of wrong pixels from which the fit must not follow them."""


def measured(observation: Observation, task: str) -> Tensor:
    """Return a copy of what was measured of one picture. Raises `ValueError` if more come, or too little is known."""
    if observation.y.shape[0] != 1:
        raise ValueError("it is fitted to one picture at a time")
    if task in KNOWN and observation.operator is None:
        raise ValueError(f"it must know {KNOWN[task]}")
    return (observation.y if observation.measured is None else observation.measured).clone()


def norm_for(y: Tensor, task: str) -> Norm:
    """Return what suits the noise of a picture, `b c h w`: "l1" for wrong pixels here and there, "l2" for all else."""
    return "l1" if task == "denoise" and impulse_share(y) > IMPULSES else "l2"


class Problem:
    """`|A x - y|^2` over what was measured, `b c h w`, but for a share that is held out to know when to stop.

    With `norm` "l1" it is `|A x - y|`, which wrong pixels do not pull to them.

    `known` is where the picture can be believed, `b c h w` of 0 and 1: not what a mask hides, nor, with "l1", what is
    black or white. Pixels that a mask hides are neither fitted nor held out. Held-out pixels are drawn with `rng`, all
    channels of one together, at least one but never the only one.
    """

    def __init__(
        self, measured: Tensor, operator: Operator | None, *, held_out: float, rng: Generator, norm: Norm = "l2"
    ) -> None:
        self.norm = norm
        self.operator = None if isinstance(operator, Masking) else operator
        known = operator.mask.to(measured) if isinstance(operator, Masking) else torch.ones_like(measured[:, :1])
        self.target = measured
        self.hidden = _drawn(known, held_out, rng)
        self.shown = known - self.hidden
        self.known = known.expand_as(measured)
        if norm == "l1":
            self.known = self.known * ((measured > 0) & (measured < 1))
        self.judged = self.hidden * self.known
        self.number, self.left = float(self.shown.sum()) * measured.shape[1], float(self.judged.sum())
        if self.number == 0:
            raise ValueError("nothing of the picture is known")

    def loss(self, x: Tensor, where: Tensor | None = None) -> Tensor:
        """Return the mean error on the pixels that are shown, or `where`, like `x` of 0 and 1."""
        if where is None:
            return (self._apart(x) * self.shown).sum() / self.number
        return (self._apart(x) * where).sum() / where.sum().clamp(min=1)

    def error(self, x: Tensor) -> float | None:
        """Return the mean error on the pixels that are held out and not wrong, None if there are none."""
        return float((self._apart(x) * self.judged).sum()) / self.left if self.left else None

    def seen(self, y: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
        """Return what a fit may see of the degraded picture, `b c h w`, and where, `b c h w` of 0 and 1.

        Of the pixels that are held out it sees none: each has the value of one beside it, with other noise. So the
        answer there is disturbed by noise in what is seen just as elsewhere, and the held-out error tells. Unseen is
        what a mask hides, and what is black or white where pixels are wrong.
        """
        if self.operator is not None:
            return y, torch.ones_like(y)
        swapped = beside(torch.cat([y, self.known], dim=1), rng).chunk(2, dim=1)
        hidden = self.hidden > 0
        return torch.where(hidden, swapped[0], y), torch.where(hidden, swapped[1], self.known)

    def _apart(self, x: Tensor) -> Tensor:
        error = (x if self.operator is None else self.operator(x)) - self.target
        return error.square() if self.norm == "l2" else error.abs()


def beside(x: Tensor, rng: Generator) -> Tensor:
    """Return `b c h w` with each pixel from a random one of its eight neighbours; borders mirror."""
    height, width = x.shape[-2:]
    place = torch.randint(8, (height, width), generator=rng)
    place = place + (place >= 4).long()  # of the nine, not the middle
    down, right = place // 3 - 1, place % 3 - 1
    rows, columns = torch.arange(height)[:, None] + down, torch.arange(width) + right
    rows, columns = (_mirrored(*sides) for sides in ((rows, height), (columns, width)))
    return x[..., rows.to(x.device), columns.to(x.device)]


def _mirrored(place: Tensor, length: int) -> Tensor:
    """Bring places that are one beyond a border back in."""
    return torch.where(place < 0, 1, torch.where(place >= length, length - 2, place)).clamp(0, length - 1)


def _drawn(known: Tensor, share: float, rng: Generator) -> Tensor:
    """Draw a share of the pixels where `known`, `b 1 h w`, is 1: one at least, but never the only one."""
    drawn, number = known.new_zeros(known.numel()), int(known.sum())
    if share and number > 1:
        lots = known * (1 + torch.rand(known.shape, generator=rng)).to(known)
        drawn[lots.flatten().topk(min(max(1, round(share * number)), number - 1)).indices] = 1
    return drawn.reshape(known.shape)
