"""A small network, small weights and small pictures, for tests."""

from __future__ import annotations

from pathlib import Path

import torch
from msgspec.structs import replace

from restoration.picture import Picture
from restoration.recipe import Part, build_parts, default_recipe
from restoration.weights import save

SMALL = {"width": 8, "encoder": [1], "middle": 1, "decoder": [1]}


def make_weights(
    path: Path,
    method: str = "ir-sde",
    task: str = "derain",
    *,
    realism: float | None = None,
    mean: str = "",
    from_mean: bool = False,
) -> Path:
    """Write a folder of weights of a small network that was not trained; its last layer says a little."""
    torch.manual_seed(0)
    recipe = replace(default_recipe(method, task), network=Part("nafnet-compact", SMALL))
    recipe = replace(recipe, realism=realism, mean=mean, from_mean=from_mean)
    network = build_parts(recipe).network
    assert network is not None
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape))
    return save(path, recipe, network.network, f"# {method}/{task}\n").path


def picture(height: int = 24, width: int = 32, seed: int = 0, bits: int = 8) -> Picture:
    """A picture of coarse coloured noise, rounded to its bits."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, max(1, height // 4), max(1, width // 4), generator=rng)
    pixels = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return Picture(pixels=(pixels * (2**bits - 1)).round() / (2**bits - 1), bits=bits)
