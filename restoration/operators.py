"""Linear degradations with exact adjoints: masks, convolutions and MATLAB's bicubic resampling."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from einops import rearrange, repeat
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.interfaces import Observation, Operator

LANES = 16
"""Channels of single precision that a processor computes at once."""
CLIPS = 4
"""How often a picture that agrees with what was measured is cut off at black and white, and made to agree again."""


class Masking:
    """Keeps the pixels where `mask`, `b 1 h w`, is 1, and sets the others to 0. It is its own adjoint."""

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def __call__(self, x: Tensor) -> Tensor:
        """Mask `b c h w`."""
        return x * self.mask.to(x)

    adjoint = __call__


class Convolution:
    """Blurs with a kernel of odd sides, `b 1 k l` or `1 1 k l`; beyond the border the picture is mirrored.

    The kernel is flipped, as in a convolution, so that it is the picture of a blurred point.
    """

    def __init__(self, kernel: Tensor) -> None:
        if kernel.ndim != 4 or kernel.shape[1] != 1 or not (kernel.shape[2] % 2 and kernel.shape[3] % 2):
            raise ValueError(f"a kernel is b 1 k l with odd sides, not {tuple(kernel.shape)}")
        self.kernel = kernel

    def __call__(self, x: Tensor) -> Tensor:
        """Blur `b c h w`."""
        kernel = without_border(self.kernel).flip(-2, -1)
        rows, columns = _mirrored_indices(x, kernel)
        return _correlated(x[..., rows, :][..., columns], kernel)

    def adjoint(self, y: Tensor) -> Tensor:
        """Apply the transpose: correlate, and add what lies beyond the border where it was mirrored from."""
        rows, columns = _mirrored_indices(y, self.kernel)
        radius_h, radius_w = (side // 2 for side in self.kernel.shape[-2:])
        wide = functional.pad(y, (2 * radius_w, 2 * radius_w, 2 * radius_h, 2 * radius_h))
        wide = _correlated(wide, self.kernel)
        tall = y.new_zeros(*y.shape[:2], wide.shape[-2], y.shape[-1]).index_add_(-1, columns, wide)
        return torch.zeros_like(y).index_add_(-2, rows, tall)


class Resampling:
    """Resizes by a factor as MATLAB's `imresize` does: bicubic (a = -0.5), antialiased if it makes smaller.

    A picture of `h` rows becomes one of `ceil(h * factor)` rows. Beyond the border the picture is mirrored.
    """

    def __init__(self, factor: Fraction | int, size: tuple[int, int]) -> None:
        """`size` is that of the input, `(h, w)`."""
        if factor <= 0:
            raise ValueError(f"the factor must be more than 0, not {factor}")
        self.factor, self.size = Fraction(factor), size
        self.rows, self.columns = (_compute_taps(side, self.factor) for side in size)

    def __call__(self, x: Tensor) -> Tensor:
        """Resize `b c h w`."""
        return _resize_rows(_resize_rows(x, self.rows).mT, self.columns).mT

    def rounded(self, x: Tensor) -> Tensor:
        """Resize `b c h w` in [0, 1] as MATLAB does for pictures of 8 bits: rounded after the rows and at the end.

        In float64, so that halves are exact: every pixel equals MATLAB's.
        """
        rows = _round_half_up(_resize_rows((x.double() * 255).round(), self.rows))
        return (_round_half_up(_resize_rows(rows.mT, self.columns).mT) / 255).to(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Apply the transpose to pictures of the size of the output."""
        return _resize_rows_adjoint(_resize_rows_adjoint(y.mT, self.columns, self.size[1]).mT, self.rows, self.size[0])

    def matrices(self) -> tuple[Tensor, Tensor]:
        """Return the matrices that resize the rows and the columns, `out in` in float64."""
        rows, columns = (
            _resize_rows(torch.eye(side, dtype=torch.float64)[None, None], taps)[0, 0]
            for side, taps in zip(self.size, (self.rows, self.columns), strict=True)
        )
        return rows, columns


def enlarge(small: Tensor, scale: int) -> Tensor:
    """Return `b c h w` `scale` times larger, as MATLAB's bicubic enlarges it, in [0, 1]."""
    return Resampling(scale, (small.shape[-2], small.shape[-1]))(small).clamp(0, 1)


def project(
    x: Tensor, operator: Operator, measured: Tensor, *, iterations: int = 20, tolerance: float = 1e-4
) -> Tensor:
    """Return the picture nearest to `x`, `b c h w`, of which the operator makes what was `measured`.

    It is `x + A⁺ (measured - A x)`, with the pseudo-inverse by conjugate gradients on `A Aᵀ` (Craig's method). They
    end when the root mean square of what is missing is below the `tolerance`; few are enough where pictures were made
    smaller, and leave out what a blur has all but removed.
    """
    residual = measured - operator(x)
    direction, size = residual, inner_product(residual, residual)
    floor = tolerance**2 * residual[0].numel()
    for _ in range(iterations):
        if bool((size <= floor).all()):
            break
        back = operator.adjoint(direction)
        step = size / inner_product(back, back).clamp_min(1e-30)
        x = x + step * back
        residual = residual - step * operator(back)
        size, last = inner_product(residual, residual), size
        direction = residual + size / last.clamp_min(1e-30) * direction
    return x


def agreeing(x: Tensor, observation: Observation) -> Tensor:
    """Return pictures near to `x`, `b c h w`, in [0, 1], of which the operator makes what was observed.

    Where there is no operator, `x` is returned.
    """
    operator, measured = observation.operator, observation.measured
    if operator is None:
        return x
    for _ in range(CLIPS):
        x = project(x.clamp(0, 1), operator, observation.y if measured is None else measured)
    return x.clamp(0, 1)


def inner_product(x: Tensor, y: Tensor) -> Tensor:
    """Return the inner product of each two images of `b c h w`: `b 1 1 1`."""
    return (x * y).sum(dim=(1, 2, 3), keepdim=True)


def without_border(kernel: Tensor) -> Tensor:
    """Return kernels `b 1 k l` without the border that is 0 in all of them, as far as it is even around the middle."""
    held = kernel.ne(0).flatten(0, 1).any(dim=0)
    window = []
    for line in (held.any(dim=1), held.any(dim=0)):
        places = line.nonzero().flatten()
        middle = len(line) // 2
        reach = int((places - middle).abs().max()) if len(places) else 0
        window.append(slice(middle - reach, middle + reach + 1))
    return kernel[..., window[0], window[1]]


def _mirrored_indices(x: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows and columns of pictures, mirrored at the edges as far as a kernel reaches."""
    rows, columns = (mirrored(side, k // 2) for side, k in zip(x.shape[-2:], kernel.shape[-2:], strict=True))
    return rows.to(x.device), columns.to(x.device)


def _correlated(x: Tensor, kernel: Tensor) -> Tensor:
    """Correlate each of `b c h w` with its kernel, where all of it fits in.

    A processor computes 16 channels of such a convolution as soon as one. So of a few channels the rows are computed in
    strips side by side, as if they were channels: in the same order to the same bits.
    """
    batch, channels = x.shape[:2]
    reach = kernel.shape[-2] - 1
    rows = x.shape[-2] - reach
    strips = LANES // (batch * channels) if x.device.type == "cpu" and not x.requires_grad else 1
    strips = max(1, min(strips, rows // (2 * reach + 1)))
    tall = -(-rows // strips)
    padded = functional.pad(x, (0, 0, 0, strips * tall - rows)) if strips > 1 else x
    flat = rearrange(padded.unfold(-2, tall + reach, tall), "b c s w h -> 1 (b c s) h w")
    weights = repeat(kernel.to(x).expand(batch, -1, -1, -1), "b 1 k l -> (b c s) 1 k l", c=channels, s=strips)
    blurred = functional.conv2d(flat, weights, groups=batch * channels * strips)
    return rearrange(blurred, "1 (b c s) h w -> b c (s h) w", b=batch, c=channels)[..., :rows, :]


def mirrored(side: int, border: int) -> Tensor:
    """Return the indices in [0, side) that a row with a border on both sides is read from, mirrored at its ends."""
    indices = torch.arange(-border, side + border) % (2 * side)
    return torch.where(indices < side, indices, 2 * side - 1 - indices)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # it is cached, and may be used for gradients later
def _compute_taps(side: int, factor: Fraction) -> tuple[Tensor, Tensor]:
    """Return where each row of a resized picture is read from and with which weights, float64: two of `taps out`."""
    out = -(-side * factor.numerator // factor.denominator)
    scale = float(factor)
    shrink = min(scale, 1.0)
    centre = (torch.arange(out, dtype=torch.float64) + 0.5) / scale - 0.5
    indices = (centre - 2 / shrink).floor() + torch.arange(math.ceil(4 / shrink) + 2)[:, None]
    weights = _cubic((centre - indices) * shrink)
    weights = weights / weights.sum(dim=0)
    wrapped = indices.long() % (2 * side)
    return torch.where(wrapped < side, wrapped, 2 * side - 1 - wrapped), weights


def _resize_rows(x: Tensor, taps: tuple[Tensor, Tensor]) -> Tensor:
    """Resize the rows of `b c h w` tap by tap, since a matrix for a large picture would not fit into memory."""
    indices, weights = taps[0].to(x.device), taps[1].to(x)[:, :, None]
    x = x.contiguous()
    total = x.new_zeros(*x.shape[:-2], indices.shape[1], x.shape[-1])
    for index, weight in zip(indices, weights, strict=True):
        total.addcmul_(x.index_select(-2, index), weight)
    return total


def _resize_rows_adjoint(y: Tensor, taps: tuple[Tensor, Tensor], side: int) -> Tensor:
    """Apply the transpose of `_resize_rows`, to pictures of `side` rows."""
    total = y.new_zeros(*y.shape[:-2], side, y.shape[-1])
    for indices, weights in zip(*(part.to(y.device) for part in taps), strict=True):
        total.index_add_(-2, indices, y * weights.to(y)[:, None])
    return total


def _cubic(u: Tensor) -> Tensor:
    """Keys' kernel with a = -0.5 ("Cubic Convolution Interpolation for Digital Image Processing", 1981)."""
    u = u.abs()
    near = 1.5 * u**3 - 2.5 * u**2 + 1
    far = -0.5 * u**3 + 2.5 * u**2 - 4 * u + 2
    return torch.where(u <= 1, near, torch.where(u < 2, far, torch.zeros_like(u)))


def _round_half_up(image: Tensor) -> Tensor:
    """Round to whole numbers from 0 to 255, halves up, as MATLAB does."""
    return (image.clamp(0, 255) + 0.5).floor()
