"""A median filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator

    from restoration import Observation
    from torch import Generator, Tensor


class Median:
    """Replaces every pixel by the median of the square around it, which has `radius` pixels to each side."""

    def __init__(self, *, radius: int = 1) -> None:
        if radius < 1:
            raise ValueError(f"radius must be at least 1, not {radius}")
        self.radius = radius

    def __call__(self, observation: Observation, rng: Generator) -> Iterator[Tensor]:
        """Yield the one answer, `b c h w`. All randomness would come from `rng`."""
        side = 2 * self.radius + 1
        padded = functional.pad(observation.y, (self.radius,) * 4, mode="replicate")
        squares = padded.unfold(2, side, 1).unfold(3, side, 1)
        yield squares.flatten(start_dim=-2).median(dim=-1).values
