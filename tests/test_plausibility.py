"""What no restoration explains is found, and what restorations do is not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from restoration.interfaces import Limits
from restoration.plausibility import find_faults
from restoration.smoothing import blurred
from restoration.testing import scene

NOISE = Limits(darker=8, lighter=8, structure=0.5)
RAIN = Limits(darker=8, lighter=8, detail=5, structure=0.15)


def photograph(height: int = 256, width: int = 320) -> Tensor:
    """A picture with a flat sky above a landscape full of detail, `1 3 h w`."""
    rng = torch.Generator().manual_seed(0)
    picture = 0.2 + 0.6 * scene(height, width)
    detail = blurred(torch.randn(1, 1, height, width, generator=rng), 2.0)
    picture = (picture + 0.8 * detail).clamp(0.02, 0.98)
    picture[..., : height // 3, :] = torch.tensor([0.55, 0.62, 0.75]).view(1, 3, 1, 1)
    return picture + 0.004 * torch.randn(picture.shape, generator=rng)


def noisy(picture: Tensor, sigma: float = 25.0) -> Tensor:
    return picture + sigma / 255 * torch.randn(picture.shape, generator=torch.Generator().manual_seed(1))


def rainy(picture: Tensor) -> Tensor:
    """Streaks that only add light."""
    drops = torch.rand(1, 1, *picture.shape[-2:], generator=torch.Generator().manual_seed(2)) > 0.98
    streaks = torch.nn.functional.avg_pool2d(drops.float(), (21, 1), stride=1, padding=(10, 0))
    return (picture + 4 * streaks).clamp(0, 1)


def mosaic(picture: Tensor, side: int) -> Tensor:
    small = torch.nn.functional.avg_pool2d(picture, side)
    return torch.nn.functional.interpolate(small, scale_factor=side)


def shifted(picture: Tensor, by: int) -> Tensor:
    """One tile shows what lies beside it."""
    moved = picture.clone()
    moved[..., 96:224, 64:192] = picture[..., 96:224, 64 + by : 192 + by]
    return moved


def darkened(picture: Tensor, share: float) -> Tensor:
    sky = torch.ones(picture.shape[-2])
    sky[: picture.shape[-2] // 3] = share
    return picture * sky[:, None]


@pytest.mark.parametrize(("before", "limits"), [(noisy, NOISE), (rainy, RAIN)], ids=["noise", "rain"])
def test_a_good_result_is_plausible(before, limits):
    clean = photograph()
    assert find_faults(before(clean), clean, limits) == []
    assert find_faults(before(clean), 0.9 * clean + 0.1 * before(clean).clamp(0, 1), limits) == []


@pytest.mark.parametrize(("before", "limits"), [(noisy, NOISE), (rainy, RAIN)], ids=["noise", "rain"])
@pytest.mark.parametrize(
    ("spoilt", "named"),
    [
        (torch.zeros_like, "became black or white"),
        (torch.ones_like, "became black or white"),
        (lambda clean: mosaic(clean, 8), "mosaic"),
        (lambda clean: mosaic(clean, 32), "mosaic"),
        (lambda clean: shifted(clean, 16), "does not have there"),
        (lambda clean: clean * float("nan"), "not numbers"),
    ],
    ids=["black", "white", "mosaic of 8", "mosaic of 32", "shifted tile", "not a number"],
)
def test_a_spoilt_result_is_named(before, limits, spoilt, named):
    clean = photograph()
    assert any(named in fault for fault in find_faults(before(clean), spoilt(clean), limits))


def test_a_darkened_sky_is_named_with_its_place():
    clean = photograph()
    for before, limits in ((noisy(clean), NOISE), (clean, RAIN)):
        (fault,) = find_faults(before, darkened(clean, 0.8), limits)
        assert "levels darker than the damage explains" in fault
        assert int(fault.split(" is ")[0].rpartition(",")[2]) < clean.shape[-2] // 3


def test_rain_explains_a_darker_sky_where_it_fell():
    clean = photograph()
    lighter = rainy(clean)
    assert float((lighter - clean)[..., :64, :].mean()) > 15 / 255
    assert find_faults(lighter, clean, RAIN) == []
    assert find_faults(lighter, clean, NOISE) != []


def test_a_task_without_limits_may_change_all_but_to_a_mosaic():
    clean = photograph()
    assert find_faults(clean, (1 - clean).clamp(0, 1), Limits()) == []
    assert find_faults(clean, mosaic(clean, 16), Limits()) != []


def test_other_sizes_and_small_pictures_are_not_judged():
    clean = photograph()
    assert find_faults(clean, clean[..., ::2, ::2], NOISE) == []
    assert find_faults(clean[..., :20, :20], torch.zeros(1, 3, 20, 20), NOISE) == []


def test_large_pictures_are_compared_in_a_smaller_copy_and_places_are_those_of_the_picture():
    clean = torch.nn.functional.interpolate(photograph(), scale_factor=8.0)
    (fault,) = find_faults(clean, darkened(clean, 0.8), NOISE)
    assert "darker" in fault
    x, y = map(int, fault.split(" at ")[1].split(" is ")[0].split(","))
    assert 0 <= y < clean.shape[-2] // 3 and 0 <= x < clean.shape[-1]
