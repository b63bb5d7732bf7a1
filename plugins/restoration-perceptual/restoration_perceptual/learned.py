"""A similarity that was learned from people's choices: LPIPS."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from einops import rearrange, reduce
from torchvision.models import AlexNet

from restoration.picture import with_channels
from restoration_perceptual.trunks import ALEXNET

if TYPE_CHECKING:
    from torch import Tensor


class Lpips:
    """Learned perceptual similarity, AlexNet, version 0.1 (Zhang et al., 2018); 0 for equal pictures, less is better.

    The trunk is torchvision's, from torch's cache; the weights of its channels are those of the package `lpips`.
    """

    protocol = f"LPIPS 0.1 ({Path(ALEXNET.file).stem}), RGB"
    ENDS = (1, 4, 7, 9, 11)
    """Places of the five rectified layers whose features are compared."""
    SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)

    def __init__(self) -> None:
        spec = find_spec("lpips")  # it is not imported, for that takes long
        assert spec is not None and spec.submodule_search_locations is not None
        heads = Path(spec.submodule_search_locations[0]) / "weights" / "v0.1" / "alex.pth"
        read = torch.load(heads, map_location="cpu", weights_only=True)
        self.heads = [read[f"lin{layer}.model.1.weight"] for layer in range(len(self.ENDS))]
        trunk = torch.load(ALEXNET.find("lpips"), map_location="cpu", weights_only=True)
        with torch.device("meta"):
            self.layers = AlexNet().features[: self.ENDS[-1] + 1].requires_grad_(False).eval()
        known = {name.removeprefix("features."): value for name, value in trunk.items() if name.startswith("features.")}
        self.layers.load_state_dict(known, assign=True)

    @torch.inference_mode()
    def __call__(self, image: Tensor, clean: Tensor) -> float:
        """Return the distance for `1 c h w`, at least 31 pixels a side."""
        distance = 0.0
        for head, first, second in zip(self.heads, self._features(image), self._features(clean), strict=True):
            distance += float(reduce(head * (first - second) ** 2, "b c h w -> b h w", "sum").mean())
        return distance

    def _features(self, image: Tensor) -> list[Tensor]:
        """Return the features `1 c h w` of each of the five layers, of length 1 at every place."""
        shift, scale = (rearrange(torch.tensor(value), "c -> 1 c 1 1") for value in (self.SHIFT, self.SCALE))
        state = (2 * with_channels(image, 3).float() - 1 - shift) / scale
        found = []
        for place, layer in enumerate(self.layers):
            state = layer(state)
            if place in self.ENDS:
                found.append(state / (state.square().sum(dim=1, keepdim=True).sqrt() + 1e-10))
        return found
