"""Down-sampling by Lanczos filters, which Deep Image Prior fits the large picture of super-resolution through."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from einops import repeat
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

LOBES = {"lanczos2": 2, "lanczos3": 3}


class Downsampler:
    """Makes pictures smaller by a whole `factor`; beyond the edge the last pixel goes on.

    The filters are those of Turkowski ("Filters for Common Resampling Tasks", 1990), as Ulyanov et al. 2018,
    arXiv:1711.10925, use them. `phase` says where the pixels of the small picture lie: 0.5 in the middle of the squares
    of `factor` pixels that they stand for, as image libraries have it, 0 on the first pixel of each. In the middle of
    an odd factor is a pixel: the original is half a pixel off there and loses a row, this is not.
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
        """Make `b c h w` smaller. Raises `ValueError` if the factor does not divide both sides."""
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
        """Apply the transpose: spread every pixel, and add what fell over the edge to the edge. `b c h w`."""
        rows, columns = self._filters(y)
        wide = functional.conv_transpose2d(y, columns, stride=(1, self.factor), groups=y.shape[1])
        short = self._folded(wide, -1, y.shape[-1] * self.factor)
        tall = functional.conv_transpose2d(short, rows, stride=(self.factor, 1), groups=y.shape[1])
        return self._folded(tall, -2, y.shape[-2] * self.factor)

    def _filters(self, like: Tensor) -> tuple[Tensor, Tensor]:
        weights, channels = self.weights.to(like), like.shape[1]
        return repeat(weights, "k -> c 1 k 1", c=channels), repeat(weights, "k -> c 1 1 k", c=channels)

    def _folded(self, x: Tensor, side: int, length: int) -> Tensor:
        """Take a border off one side of `b c h w`: the transpose of repeating the last pixel."""
        before, after = self.border
        places = torch.arange(-before, length + after, device=x.device).clamp(0, length - 1)
        shape = list(x.shape)
        shape[side] = length
        return x.new_zeros(shape).index_add_(side, places, x)


@torch.inference_mode(False)  # gradients go through it wherever it was made
def _lanczos(first: int, last: int, middle: float, factor: int, lobes: int) -> Tensor:
    """Return the weights of the pixels from `first` to `last` around the `middle`, float64; they sum to 1."""
    away = (torch.arange(first, last + 1, dtype=torch.float64) - middle) / factor
    weights = torch.sinc(away) * torch.sinc(away / lobes)
    return weights / weights.sum()
