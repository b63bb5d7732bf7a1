"""Holes that are filled in a smaller picture."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from restoration_dip.fit.smaller import fill_holes, shrink_masked
from torch import Tensor

from restoration import Observation, Restoration, psnr
from restoration.operators import Masking
from restoration.testing import scene

TINY = {"network.down": [8, 16], "network.up": [8, 16], "network.skip": [0, 0], "network.upsample": "nearest"}


def seen(x: Tensor, known: Tensor) -> Observation:
    """A picture with holes."""
    return Observation(y=x * known, operator=Masking(known))


def holed(height: int, width: int) -> Tensor:
    """A square hole in the middle, a quarter of the height wide."""
    known = torch.ones(1, 1, height, width)
    known[..., height * 3 // 8 : height * 5 // 8, width // 2 - height // 8 : width // 2 + height // 8] = 0
    return known


def test_means_are_of_what_is_known_and_known_is_what_has_half_of_its_pixels() -> None:
    x = torch.arange(1.0, 17.0).reshape(1, 1, 4, 4)
    known = torch.ones(1, 1, 4, 4)
    known[..., 0, 0] = known[..., 2:, 2:] = 0
    known[..., 3, 3] = 1
    small = shrink_masked(seen(x, known), 4)
    assert isinstance(small.operator, Masking)
    torch.testing.assert_close(small.operator.mask, torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]]))
    torch.testing.assert_close(small.y, torch.tensor([[[[(2 + 5 + 6) / 3, 5.5], [11.5, 0.0]]]]))


@pytest.mark.parametrize(("height", "width"), [(40, 48), (37, 45), (9, 64), (1, 900)])
def test_a_smaller_picture_has_few_enough_pixels_and_fills_one_of_the_same_size(height: int, width: int) -> None:
    whole = seen(scene(height, width), holed(height, width))
    small = shrink_masked(whole, 200)
    assert isinstance(small.operator, Masking)
    assert small.y.shape[-2:] == small.operator.mask.shape[-2:]
    assert 150 < small.y[0, 0].numel() <= 200 or height == 1 == small.y.shape[2]
    answer = fill_holes(whole, torch.full_like(small.y, 0.25))
    hole = holed(height, width).expand_as(answer) == 0
    assert torch.equal(answer[~hole], whole.y[~hole])
    torch.testing.assert_close(answer[hole], torch.full_like(answer[hole], 0.25))


def test_what_is_small_or_has_no_holes_stays_as_it_is() -> None:
    x = scene(16, 16)
    for observation, pixels in ((seen(x, holed(16, 16)), 256), (seen(x, holed(16, 16)), None), (Observation(y=x), 9)):
        assert shrink_masked(observation, pixels) is observation
        assert torch.equal(fill_holes(observation, x), x)


@pytest.mark.parametrize("pixels", [200, 300, 1024])
def test_a_ramp_is_enlarged_where_it_was(pixels: int) -> None:
    x = torch.linspace(0.2, 0.8, 64).expand(1, 3, 64, 64).contiguous()
    whole = seen(x, holed(64, 64))
    answer = fill_holes(whole, shrink_masked(Observation(y=x, operator=Masking(torch.ones(1, 1, 64, 64))), pixels).y)
    hole = holed(64, 64).expand_as(x) == 0
    assert (answer - x)[hole].mean().abs() < 1e-3, "half a pixel aside it would be 5e-3"


def test_a_hole_is_filled_by_a_fit_to_fewer_pixels() -> None:
    x, known = scene(64, 80), holed(64, 80)
    options: dict[str, Any] = {**TINY, "quality": "fast", "steps": 120, "pixels": 1300}
    result = Restoration("dip", "inpaint", options=options, precision="fp32", device="cpu")(seen(x, known))
    answer = result.picture.pixels
    assert result.told["filled at"] == "40x32"
    hole = known.expand_as(x) == 0
    assert torch.equal(answer[~hole], x[~hole])
    grey = torch.where(hole, x[~hole].mean(), x)
    assert psnr(answer, x) > psnr(grey, x) + 3, (psnr(answer, x), psnr(grey, x))
