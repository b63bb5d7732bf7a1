"""How far the patches of one set of pictures are from those of another, as a small network sees them: `fd`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange, reduce

from restoration_perceptual.frechet import frechet
from restoration_perceptual.lite import Lite

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 64
"""Pixels of a side of a patch."""
GRID = 7
"""Patches of a picture along each side, evenly spaced: in 256x256 pixels every 32nd pixel begins one."""
STAGES = (1, 2, 3)
"""The stages whose features are pooled: textures of 4 to 16 pixels. The coarsest needs more patches than there are."""
HALVINGS = 16
"""How often the patches are divided into two halves, by chance, to see how the distance depends on their number."""
LEAST = 1e-3
"""No feature is divided by less than this share of the deviation that features have on average."""


class FrechetPatches:
    """The Fréchet distance of pooled features of patches, extrapolated to infinitely many; less is better.

    Of each picture 49 patches of 64x64 pixels are taken. The means over each patch of what the stages two to four of
    EfficientNet-Lite make of it are its features, divided by their deviation among the clean patches, so that each
    counts alike. `network` is 0 or 2, for Lite0 or Lite2.
    """

    def __init__(self, *, network: int = 0) -> None:
        self.network = Lite(network, "fd2" if network == 2 else "fd")
        self.protocol = (
            f"Fréchet distance of pooled features (EfficientNet-Lite{network}, stages 2 to 4) of {GRID * GRID} patches "
            f"of {SIDE}x{SIDE} a picture, each divided by its deviation among the clean, extrapolated to infinitely "
            "many patches, RGB, of the set and so without an interval: compare the same pictures only"
        )

    @torch.inference_mode()
    def features(self, image: Tensor) -> Tensor:
        """Return the features of the patches of `1 c h w`, one after another. Raises `ValueError` if it is smaller."""
        stages = self.network(cut(image), max(STAGES) + 1)
        pooled = torch.cat([reduce(stages[index], "n c h w -> n c", "mean") for index in STAGES], dim=1)
        return rearrange(pooled, "n d -> (n d)")

    def distance(self, first: Tensor, second: Tensor) -> float:
        """Return the distance of sets by the features of their pictures, `n d` and `m d`; `second` is the clean one."""
        image, clean = (rearrange(one.double(), "n (k d) -> (n k) d", k=GRID * GRID) for one in (first, second))
        spread = clean.std(dim=0)
        spread = spread.clamp(min=LEAST * float(spread.mean()) or 1.0)
        return extrapolated(image / spread, clean / spread)


def cut(image: Tensor) -> Tensor:
    """Return 7x7 patches of `1 c h w`: `49 c 64 64`. Raises `ValueError` for less than 64 pixels a side."""
    if min(image.shape[-2:]) < SIDE:
        raise ValueError(f"patches have {SIDE}x{SIDE} pixels, the picture {image.shape[-1]}x{image.shape[-2]}")
    tops, lefts = (torch.linspace(0, side - SIDE, GRID).round().int().tolist() for side in image.shape[-2:])
    return torch.cat([image[..., top : top + SIDE, left : left + SIDE] for top in tops for left in lefts])


def extrapolated(first: Tensor, second: Tensor) -> float:
    """Return the Fréchet distance of two sets of vectors, `n d`, without the part that their small number adds.

    The distance of n samples is that of infinitely many and a part that falls as 1/n (Chong and Forsyth 2020,
    arXiv:1911.07023, section 4). The line through n and n/2 gives it: twice the distance of all less the mean distance
    of halves. Sets of equal length are pairs, and halved alike; equal sets have the distance 0.
    """
    whole = frechet(first, second)
    rng = torch.Generator().manual_seed(0)
    halves = []
    for _ in range(HALVINGS):
        order = torch.randperm(len(first), generator=rng)
        other = order if len(first) == len(second) else torch.randperm(len(second), generator=rng)
        for part, counterpart in zip(order.chunk(2), other.chunk(2), strict=True):
            halves.append(frechet(first[part], second[counterpart]))
    return 2 * whole - sum(halves) / len(halves)
