"""The loss of a fit: its distance from the observed picture, and from pixels that are held out."""

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
NEEDED = {"inpaint": "where the holes are", "sr": "the scale", "deblur": "the kernel: --kernel FILE"}
"""What must be known about the picture, by task: the operator follows from it."""
IMPULSES = 0.01
"""From this share of wrong pixels on, the loss is the absolute error."""


def get_measurement(observation: Observation, task: str) -> Tensor:
    """Return a copy of what was measured. Raises `ValueError` for several pictures, or if the operator is missing."""
    if observation.y.shape[0] != 1:
        raise ValueError("it is fitted to one picture at a time")
    if task in NEEDED and observation.operator is None:
        raise ValueError(f"it must know {NEEDED[task]}")
    return (observation.y if observation.measured is None else observation.measured).clone()


def choose_norm(y: Tensor, task: str) -> Norm:
    """Return the norm for the noise of a picture, `b c h w`: "l1" if some pixels are wrong (impulses), else "l2"."""
    return "l1" if task == "denoise" and impulse_share(y) > IMPULSES else "l2"


class Problem:
    """The mean of `|A x - y|^2` over the measured pixels, `b c h w`, but for a share that is held out.

    With the norm "l1" it is the mean of `|A x - y|`, which wrong pixels affect less. The error of the held-out pixels
    tells when to stop. They are drawn with `rng`, all channels of a pixel together: at least one, but never all.
    Pixels that a mask hides are neither fitted nor held out.

    `shown` are the pixels that are fitted, `hidden` those that are held out, both `b 1 h w` of 0 and 1; `known` are the
    reliable values, `b c h w`: not those behind a mask nor, with "l1", black or white ones.
    """

    def __init__(
        self, target: Tensor, operator: Operator | None, *, held_out: float, rng: Generator, norm: Norm = "l2"
    ) -> None:
        self.norm = norm
        self.operator = None if isinstance(operator, Masking) else operator
        known = operator.mask.to(target) if isinstance(operator, Masking) else torch.ones_like(target[:, :1])
        self.target = target
        self.hidden = _draw_held_out(known, held_out, rng)
        self.shown = known - self.hidden
        self.known = known.expand_as(target)
        if norm == "l1":
            self.known = self.known * ((target > 0) & (target < 1))
        self.judged = self.hidden * self.known
        self.fitted_values, self.held_out_values = float(self.shown.sum()) * target.shape[1], float(self.judged.sum())
        if self.fitted_values == 0:
            raise ValueError("nothing of the picture is known")
        self.weight: Tensor | None = None

    def weigh(self, sigma: Tensor) -> None:
        """Weigh the error of each pixel by the inverse of its noise, a map `1 1 h w`: maximum likelihood.

        Noise of less than a tenth of the mean counts as that, or a few pixels would be all that is fitted.
        """
        power = 2 if self.norm == "l2" else 1
        weight = sigma.clamp(min=max(float(sigma.mean()) / 10, 1e-6)) ** -power
        self.weight = weight / weight.mean()

    def loss(self, x: Tensor, where: Tensor | None = None) -> Tensor:
        """Return the mean error of an output `x` over the fitted pixels, or over the values where `where` is 1."""
        if where is None:
            return (self._error(x) * self.shown).sum() / self.fitted_values
        return (self._error(x) * where).sum() / where.sum().clamp(min=1)

    def held_out_error(self, x: Tensor) -> float | None:
        """Return the mean error of an output `x` over the reliable held-out values, None if there are none."""
        return float((self._error(x) * self.judged).sum()) / self.held_out_values if self.held_out_values else None

    def replace_held_out(self, y: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
        """Return a degraded picture `b c h w` that may be an input of the fit, and where it is reliable, of 0 and 1.

        Each held-out pixel has the value of one of its neighbours, with the noise of that one. So noise of the input
        disturbs the output at held-out pixels as it does elsewhere, and their error is a fair measure. Values behind a
        mask, and black or white ones where pixels are wrong, are not reliable.
        """
        if self.operator is not None:
            return y, torch.ones_like(y)
        swapped = take_neighbours(torch.cat([y, self.known], dim=1), rng).chunk(2, dim=1)
        hidden = self.hidden > 0
        return torch.where(hidden, swapped[0], y), torch.where(hidden, swapped[1], self.known)

    def _error(self, x: Tensor) -> Tensor:
        error = (x if self.operator is None else self.operator(x)) - self.target
        size = error.square() if self.norm == "l2" else error.abs()
        return size if self.weight is None else size * self.weight


def take_neighbours(x: Tensor, rng: Generator) -> Tensor:
    """Return `b c h w` in which each pixel is a random one of its eight neighbours; the border is mirrored."""
    height, width = x.shape[-2:]
    choice = torch.randint(8, (height, width), generator=rng)
    choice = choice + (choice >= 4).long()  # of the nine pixels of the square, 4 is the middle one
    down, right = choice // 3 - 1, choice % 3 - 1
    rows, columns = torch.arange(height)[:, None] + down, torch.arange(width) + right
    rows, columns = (_mirror(*sides) for sides in ((rows, height), (columns, width)))
    return x[..., rows.to(x.device), columns.to(x.device)]


def _mirror(index: Tensor, length: int) -> Tensor:
    """Mirror indices that are one beyond the border of a side."""
    return torch.where(index < 0, 1, torch.where(index >= length, length - 2, index)).clamp(0, length - 1)


def _draw_held_out(known: Tensor, share: float, rng: Generator) -> Tensor:
    """Draw a share of the pixels where `known`, `b 1 h w`, is 1: at least one of them, but never all."""
    drawn, number = known.new_zeros(known.numel()), int(known.sum())
    if share and number > 1:
        order = known * (1 + torch.rand(known.shape, generator=rng)).to(known)
        drawn[order.flatten().topk(min(max(1, round(share * number)), number - 1)).indices] = 1
    return drawn.reshape(known.shape)
