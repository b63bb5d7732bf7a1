"""How far one set of pictures is from another: FID."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from einops import rearrange

from restoration.picture import with_channels
from restoration_perceptual.trunks import INCEPTION

if TYPE_CHECKING:
    from torch import Tensor


class FrechetInception:
    """FID: the Fréchet distance of the last means of Inception-v3 of 2015, as piq builds it, from torch's cache."""

    protocol = (
        f"FID against the clean pictures ({Path(INCEPTION.file).stem}, 2048 features), RGB, resized to 299x299 "
        "bilinearly, of the set and so without an interval, biased for few pictures: compare equal numbers only"
    )

    def __init__(self) -> None:
        from piq.feature_extractors import InceptionV3

        INCEPTION.find("fid")
        with warnings.catch_warnings():  # how it builds its network is old style to torchvision
            warnings.simplefilter("ignore")
            self.network = InceptionV3().eval()

    @torch.inference_mode()
    def features(self, image: Tensor) -> Tensor:
        """Return the 2048 features of `1 c h w`, enlarged or reduced to 299x299 bilinearly."""
        return rearrange(self.network(with_channels(image, 3).float())[0], "1 c 1 1 -> c")  # type: ignore[no-any-return]

    def distance(self, first: Tensor, second: Tensor) -> float:
        """Return the distance of two sets by their features, `n d` and `m d`."""
        return frechet(first, second)


def frechet(first: Tensor, second: Tensor) -> float:
    """Return the squared Fréchet distance of the normal distributions with the moments of two sets, `n d` and `m d`.

    |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), in float64 (Heusel et al., 2017, equation 6). With Σ = RᵀR the trace of the
    root is the sum of the singular values of R₁R₂ᵀ, which needs no root of a singular matrix. Fewer than two pictures
    have no covariance: NaN.
    """
    if min(len(first), len(second)) < 2:
        return float("nan")
    means, roots = [], []
    for features in (first.double(), second.double()):
        means.append(features.mean(dim=0))
        roots.append(torch.linalg.qr((features - means[-1]) / (len(features) - 1) ** 0.5, mode="r").R)
    cross = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()
    spread = roots[0].square().sum() + roots[1].square().sum()
    return float((means[0] - means[1]).square().sum() + spread - 2 * cross)
