"""The weights of the plugin take Gaussian noise away, in colour and in grey, and come with the method."""

from __future__ import annotations

import pytest
import torch

from restoration import Observation, Restoration, psnr, resolve
from restoration.testing import scene


@pytest.mark.parametrize("colours", ["coloured", "grey"])
def test_noise_goes_away_from_coloured_and_from_grey_pictures(colours: str) -> None:
    x = scene(96, 96)
    noise = 25 / 255 * torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    if colours == "grey":  # where it is the same in all channels
        x, noise = (one[:, :1].expand_as(x) for one in (x, noise))
    y = x + noise
    result = Restoration("noise2noise", "denoise", device="cpu", precision="fp32")(Observation(y=y))
    assert psnr(result.picture.pixels.clamp(0, 1), x) > psnr(y.clamp(0, 1), x) + 5


def test_their_recipe_says_that_no_picture_was_clean() -> None:
    folder = resolve(None, "noise2noise", "denoise")
    assert folder is not None
    recipe = folder.recipe()
    assert recipe.objective is not None and recipe.objective.name == "noise2noise"
    low, _high = recipe.task.options["sigma"]
    assert low > 0 and not recipe.training["undamaged"]
