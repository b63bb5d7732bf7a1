"""How natural a picture looks, without the clean one beside it: NIQE, fitted to free photographs."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch.nn import functional

from restoration.metrics import luma
from restoration.operators import Resampling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

FILE = Path(__file__).parent / "niqe.safetensors"
"""The mean and the covariance of the features of sharp patches of photographs, `36` and `36 36`."""
SIDE = 96
"""Pixels of a side of a patch; at half the size it has 48."""
SHARP = 0.75
"""A patch of a photograph is sharp if its local contrast is more than this share of the largest in the picture."""
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""The pixels that a pixel is multiplied with: to the right, below, and along both diagonals."""


class Niqe:
    """The distance of a picture's statistics from those of photographs; less is more natural.

    The features of patches, of 96x96 pixels, are taken as a normal distribution; the distance of two is
    `((m1 - m2)' ((S1 + S2) / 2)^-1 (m1 - m2))^1/2` (Mittal, Soundararajan, Bovik 2013, "Making a completely blind image
    quality analyzer", equation 10).
    """

    protocol = (
        "NIQE without the clean picture, Y, patches of 96x96, fitted to 40 photographs in the public domain and so not "
        "comparable with published values"
    )

    def __init__(self) -> None:
        from safetensors.torch import load_file

        read = load_file(FILE)
        self.mean, self.covariance = read["mean"].double(), read["covariance"].double()

    def __call__(self, image: Tensor, clean: Tensor) -> float:
        """Return the distance for `1 c h w`, at least 192 pixels a side; the clean picture is not looked at."""
        features, _ = describe_patches(image)
        mean, covariance = features.mean(dim=0), torch.cov(features.T)
        difference = mean - self.mean
        inverse = torch.linalg.pinv((covariance + self.covariance) / 2, hermitian=True)
        return float((difference @ inverse @ difference).clamp(min=0).sqrt())


def fit(pictures: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the mean `36` and the covariance `36 36` of the features of the sharp patches of pictures `1 c h w`."""
    kept = []
    for one in pictures:
        features, contrast = describe_patches(one)
        kept.append(features[contrast > SHARP * contrast.max()])
    found = torch.cat(kept)
    return found.mean(dim=0), torch.cov(found.T)


def describe_patches(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the features `n 36` of the patches of `1 c h w` that fit into it side by side, and their contrast `n`.

    Of each of two scales: the shape and the scale of a generalised normal distribution of the normalised pixels, and
    for the products of neighbours in four directions the shape, the mean and the two scales of an asymmetric one.
    """
    down, across = (side // SIDE for side in image.shape[-2:])
    if not down or not across:
        raise ValueError(f"patches have {SIDE}x{SIDE} pixels, the picture {image.shape[-1]}x{image.shape[-2]}")
    y = 255 * luma(image.double())[..., : down * SIDE, : across * SIDE]
    half = Resampling(Fraction(1, 2), (y.shape[-2], y.shape[-1]))(y)
    found = []
    contrast = y.new_zeros(0)
    for scale, side in ((y, SIDE), (half, SIDE // 2)):
        normalised, deviation = normalise(scale)
        patches = _cut(normalised, side)
        if side == SIDE:
            contrast = _cut(deviation, side).mean(dim=(1, 2))
        shape, _, left, right = fit_asymmetric(patches.flatten(1))
        found += [shape, (left + right) / 2]
        for rows, columns in NEIGHBOURS:
            found += fit_asymmetric((patches * patches.roll((-rows, -columns), dims=(1, 2))).flatten(1))
    return torch.stack(found, dim=1), contrast


def normalise(y: Tensor) -> tuple[Tensor, Tensor]:
    """Return levels `1 1 h w` less their local mean, divided by their local deviation plus one; and that deviation."""
    offset = torch.arange(7, dtype=y.dtype, device=y.device) - 3
    row = torch.exp(-(offset**2) / (2 * (7 / 6) ** 2))
    row = row / row.sum()

    def blur(x: Tensor) -> Tensor:
        padded = functional.pad(x, (3, 3, 3, 3), mode="replicate")
        return functional.conv2d(functional.conv2d(padded, row[None, None, None]), row[None, None, :, None])

    mean = blur(y)
    deviation = (blur(y * y) - mean * mean).abs().sqrt()
    return (y - mean) / (deviation + 1), deviation


def fit_asymmetric(x: Tensor) -> list[Tensor]:
    """Return the shape, the mean, and the scales left and right of an asymmetric generalised normal distribution.

    One of each for each row of `n k`, by matching moments (Lasmar, Stitou and Berthoumieu, ICIP 2009).
    """
    below, above = x < 0, x > 0
    left, right = (
        ((x.square() * side).sum(dim=1) / side.sum(dim=1).clamp(min=1)).sqrt().clamp(min=1e-6)
        for side in (below, above)
    )
    gamma = left / right
    ratio = x.abs().mean(dim=1).square() / x.square().mean(dim=1).clamp(min=1e-12)
    ratio = ratio * (gamma**3 + 1) * (gamma + 1) / (gamma.square() + 1).square()
    shapes, ratios = (one.to(x) for one in _ratios())
    shape = shapes[torch.searchsorted(ratios, ratio.contiguous()).clamp(max=len(shapes) - 1)]
    one, two, three = (torch.lgamma(number / shape) for number in (1, 2, 3))
    scale = ((one - three) / 2).exp()
    return [shape, (right - left) * scale * (two - one).exp(), left * scale, right * scale]


@lru_cache
def _ratios() -> tuple[Tensor, Tensor]:
    """Return shapes from 0.2 to 10 and the squared mean of the absolute value over the mean square of each."""
    shapes = torch.arange(200, 10001, dtype=torch.float64) / 1000
    one, two, three = (torch.lgamma(number / shapes) for number in (1, 2, 3))
    return shapes, (2 * two - one - three).exp()


def _cut(x: Tensor, side: int) -> Tensor:
    return rearrange(x, "1 1 (h a) (w b) -> (h w) a b", a=side, b=side)
