"""How different the features of two pictures are, of a network that no restoration here was trained with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from restoration_perceptual.lite import Lite

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


class Features:
    """The distance of unit-normalised features, summed over five stages; 0 for equal pictures, less is better.

    At each place of a stage the features are made a vector of length 1; the squared distances of these are averaged
    over the places, and the five means summed: LPIPS (Zhang et al. 2018, arXiv:1801.03924) with all weights equal.
    `network` is 0 or 2, for EfficientNet-Lite0 or Lite2.
    """

    def __init__(self, *, network: int = 0) -> None:
        self.network = Lite(network, "features2" if network == 2 else "features")
        self.protocol = (
            f"distance of unit-normalised features, 5 stages of EfficientNet-Lite{network}, RGB, which does not "
            "judge a method alone that was trained or fitted with it"
        )

    def distance_to(self, clean: Tensor) -> Callable[[Tensor], Tensor]:
        """Return a function from pictures `b c h w` to their distance from `clean`, with gradients: a fifth of it.

        That is the mean over the stages of the mean squared difference of features whose squares have the mean 1 at
        each place, so that those of weak and of strong structures count alike.
        """
        self.network.to(clean.device)
        with torch.no_grad():
            targets = [scaled(one) for one in self.network(clean)]

        def distance(x: Tensor) -> Tensor:
            pairs = zip(self.network(x), targets, strict=True)
            return torch.stack([functional.mse_loss(scaled(one), other) for one, other in pairs]).mean()

        return distance

    @torch.inference_mode()
    def __call__(self, image: Tensor, clean: Tensor) -> float:
        """Return the distance for `1 c h w`."""
        pairs = zip(self.network(image), self.network(clean), strict=True)
        return sum(float((unit(one) - unit(other)).square().sum(dim=1).mean()) for one, other in pairs)


def scaled(features: Tensor) -> Tensor:
    """Return `b c h w` with vectors at every place whose squares have the mean 1."""
    length: float = features.shape[1] ** 0.5
    return functional.normalize(features.float(), dim=1) * length


def unit(features: Tensor) -> Tensor:
    """Return `b c h w` with vectors of length 1 at every place."""
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
