"""Haze: between the picture and the light of the air, and thicker where it is told to be."""

from __future__ import annotations

import pytest
import torch
from restoration_tasks.haze import Haze, draw_hills
from torch import Generator, Tensor

from restoration import Task


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def pictures(*shape: int) -> Tensor:
    return (torch.rand(shape, generator=seeded(9)) * 255).round() / 255


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (2, 1, 7, 5), (2, 3, 33, 20), (1, 3, 1, 40)])
def test_hazy_pictures_are_8_bit_pictures_of_the_same_shape(shape: tuple[int, ...]) -> None:
    x = pictures(*shape)
    before = x.clone()
    y = Haze()(x, seeded())
    assert y.shape == x.shape and y.dtype == torch.float32
    assert float(y.min()) >= 0 and float(y.max()) <= 1
    assert float((y * 255 - (y * 255).round()).abs().max()) < 1e-4
    assert torch.equal(x, before)


def test_haze_is_the_same_from_the_same_rng_and_another_from_another() -> None:
    x, haze = pictures(2, 3, 40, 32), Haze()
    assert isinstance(haze, Task)
    assert torch.equal(haze(x, seeded(1)), haze(x, seeded(1)))
    assert not torch.equal(haze(x, seeded(1)), haze(x, seeded(2)))
    depth = haze.depth(x, seeded())
    assert not torch.equal(depth[0], depth[1]), "each picture has its own"


def test_no_haze_changes_nothing() -> None:
    x = pictures(2, 3, 40, 32)
    assert torch.allclose(Haze(thickness=0)(x, seeded()), x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("patchy", [0.0, 1.0])
def test_every_pixel_lies_between_the_picture_and_the_light_of_the_air(patchy: float) -> None:
    x = pictures(16, 1, 40, 32)
    y = Haze(airlight=0.8, patchy=patchy)(x, seeded())
    slack = 0.501 / 255
    assert bool((y >= x.clamp(max=0.8) - slack).all())
    assert bool((y <= x.clamp(min=0.8) + slack).all())


def test_the_thickest_haze_is_the_light_of_the_air_alone() -> None:
    y = Haze(thickness=10, airlight=0.6, patchy=0)(pictures(8, 1, 24, 24), seeded())
    assert float((y.amax(dim=(1, 2, 3)) - 0.6).abs().median()) < 2 / 255
    coloured = Haze(thickness=10, airlight=0.6, patchy=0)(pictures(8, 3, 24, 24), seeded()).mean(dim=(2, 3))
    assert 0.005 < float(coloured.std(dim=1).mean()) < 0.06, "a little coloured"


def test_thicker_haze_leaves_less_contrast() -> None:
    x = (pictures(12, 3, 40, 32) > 0.5).float()
    contrasts = torch.stack([Haze(thickness=t, patchy=0)(x, seeded()).std(dim=(1, 2, 3)) for t in (0.1, 0.5, 1, 2, 4)])
    assert bool((contrasts.diff(dim=0) < 0).all())


@pytest.mark.parametrize("thickness", [0.5, 2.0])
def test_the_depth_is_the_thickness_in_the_mean_and_never_negative(thickness: float) -> None:
    depth = Haze(thickness=thickness, patchy=0).depth(pictures(16, 3, 40, 32), seeded())
    assert depth.shape == (16, 1, 40, 32)
    assert torch.allclose(depth.mean(dim=(1, 2, 3)), torch.tensor(thickness), rtol=1e-4)
    assert float(depth.min()) > 0
    assert float(depth.max()) <= 1.9 * thickness * 1.0001
    assert float(Haze(thickness=thickness, patchy=1).depth(pictures(16, 3, 40, 32), seeded()).min()) >= 0


def test_depth_is_mostly_greater_at_the_top() -> None:
    depth = Haze(thickness=1, patchy=0).depth(pictures(64, 3, 32, 32), seeded())
    assert float((depth[..., :8, :].mean(dim=(1, 2, 3)) > depth[..., -8:, :].mean(dim=(1, 2, 3))).float().mean()) > 0.6


def test_hills_are_smooth_and_bounded() -> None:
    heights = draw_hills(4, 4, 64, 64, seeded())
    assert heights.shape == (4, 1, 64, 64)
    assert float(heights.abs().max()) <= 1
    assert float(heights.std()) > 0.2
    assert float(heights.diff(dim=-1).abs().mean()) < 0.1


@pytest.mark.parametrize("options", [{"thickness": -1}, {"thickness": 11}, {"airlight": (0.9, 0.5)}, {"patchy": 1.5}])
def test_haze_that_cannot_be_is_an_error(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be a number or two"):
        Haze(**options)  # type: ignore[arg-type]
