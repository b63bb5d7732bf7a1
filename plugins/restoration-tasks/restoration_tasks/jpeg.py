"""Compression: the artefacts of a JPEG encoder of low quality."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from restoration import Picture
from restoration.images import decode, encode
from restoration_tasks.drawing import between, uniform

if TYPE_CHECKING:
    from torch import Generator, Tensor


class JPEG:
    """Encodes and decodes pictures as JPEG, each with its own `quality`; colours have half the resolution below 90."""

    def __init__(self, *, quality: float | tuple[float, float] = (5, 60)) -> None:
        self.quality = between("quality", quality, 1, 100)

    def __call__(self, x: Tensor, rng: Generator) -> Tensor:
        """Return compressed pictures, `b c h w` of 1 or 3 channels, for clean ones."""
        return compress(x, uniform(x.shape[0], *self.quality, rng).round())


def compress(x: Tensor, qualities: Tensor) -> Tensor:
    """Encode and decode pictures `b c h w`, each with its own quality, `b` whole numbers from 1 to 100."""
    files = (
        encode(Picture(pixels=one[None]), ".jpg", int(quality))
        for one, quality in zip(x, qualities.flatten(), strict=True)
    )
    return torch.cat([x[:0], *(decode(file, "JPEG").pixels for file in files)])
