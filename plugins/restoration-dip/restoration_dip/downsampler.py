"""Downsampling by Lanczos filters: the operator that Deep Image Prior inverts for super-resolution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from einops import repeat
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

LOBES = {"lanczos2": 2, "lanczos3": 3}
"""The number of lobes of each filter, on either side."""


class Downsampler:
    """Makes pictures smaller by a whole `factor`; beyond the border the last pixel is repeated.

    The filters are those of Turkowski ("Filters for Common Resampling Tasks", 1990), as Ulyanov et al. 2018,
    arXiv:1711.10925, use them. `phase` is the position of a pixel of the small picture among the `factor` pixels that
    it stands for: 0.5 is their middle, as in image libraries, 0 the first of them. For odd factors and phase 0.5 the
    original is half a pixel off and loses a row; this is not.
    """

    def __init__(
        self, factor: int, *, kernel: Literal["lanczos2", "lanczos3"] = "lanczos2", phase: float = 0.5
    ) -> None:
        if factor < 1:
            raise ValueError(f"the factor must be at least 1, not {factor}")
        if kernel not in LOBES:
            raise ValueError(f"the kernel must be {' or '.join(LOBES)}, not {kernel!r}")
        if phase not in (0, 0.5):
            raise ValueError(f"the phase must be 0 or 0.5, not {phase}")
        self.factor = factor
        middle, radius = phase * (factor - 1), LOBES[kernel] * factor
        first, last = math.ceil(middle - radius), math.floor(middle + radius)
        self.border = (-first, last - factor + 1)
        self.weights = _lanczos(first, last, middle, factor, LOBES[kernel])

    def __call__(self, x: Tensor) -> Tensor:
        """Downsample `b c h w`. Raises `ValueError` if the factor does not divide both sides."""
        height, width = x.shape[-2:]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f"a picture of {height}x{width} cannot be made {self.factor} times smaller: "
                f"cut or pad both sides to multiples of {self.factor}"
            )
        rows, columns = self._filters(x)
        tall = functional.pad(x, (0, 0, *self.border), mode="replicate")
        short = functional.conv2d(tall, rows, stride=(self.factor, 1), groups=x.shape[1])
        wide = functional.pad(short, (*self.border, 0, 0), mode="replicate")
        return functional.conv2d(wide, columns, stride=(1, self.factor), groups=x.shape[1])

    def adjoint(self, y: Tensor) -> Tensor:
        """Apply the transpose to `b c h w`: spread every pixel, and add what lies beyond the border to the border."""
        rows, columns = self._filters(y)
        wide = functional.conv_transpose2d(y, columns, stride=(1, self.factor), groups=y.shape[1])
        short = self._fold_border(wide, -1, y.shape[-1] * self.factor)
        tall = functional.conv_transpose2d(short, rows, stride=(self.factor, 1), groups=y.shape[1])
        return self._fold_border(tall, -2, y.shape[-2] * self.factor)

    def _filters(self, like: Tensor) -> tuple[Tensor, Tensor]:
        weights, channels = self.weights.to(like), like.shape[1]
        return repeat(weights, "k -> c 1 k 1", c=channels), repeat(weights, "k -> c 1 1 k", c=channels)

    def _fold_border(self, x: Tensor, side: int, length: int) -> Tensor:
        """Remove the border of one dimension of `b c h w`: the transpose of repeating the last pixel."""
        before, after = self.border
        index = torch.arange(-before, length + after, device=x.device).clamp(0, length - 1)
        shape = list(x.shape)
        shape[side] = length
        return x.new_zeros(shape).index_add_(side, index, x)


@torch.inference_mode(False)  # gradients go through it wherever it was made
def _lanczos(first: int, last: int, middle: float, factor: int, lobes: int) -> Tensor:
    """Return the weights of the pixels from `first` to `last` around the `middle`, float64; they sum to 1."""
    distance = (torch.arange(first, last + 1, dtype=torch.float64) - middle) / factor
    weights = torch.sinc(distance) * torch.sinc(distance / lobes)
    return weights / weights.sum()
