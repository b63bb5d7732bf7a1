"""Pictures that are too small for a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor


def enlarge_to_least(x: Tensor, least: int) -> Tensor:
    """Pad `b c h w` on the right and at the bottom to sides of at least so many pixels, by repeating its border."""
    down, right = (max(0, least - side) for side in x.shape[-2:])
    return functional.pad(x, (0, right, 0, down), mode="replicate") if down or right else x
