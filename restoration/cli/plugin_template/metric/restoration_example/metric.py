"""The mean absolute error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def mean_absolute_error(image: Tensor, clean: Tensor) -> float:
    """Return the mean of the absolute differences of `1 c h w` in [0, 1]; 0 for equal pictures."""
    return float((image - clean).abs().mean())
