"""Drops on the glass: a part of the picture is seen through them, the rest is as it was."""

from __future__ import annotations

import pytest
import torch
from restoration_tasks.drops import add_drops
from restoration_tasks.rain import Rain
from torch import Generator, Tensor
from torch.nn import functional


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def pictures(batch: int, height: int = 120, width: int = 160) -> Tensor:
    coarse = torch.rand(batch, 3, 6, 8, generator=seeded(9))
    return (functional.interpolate(coarse, (height, width), mode="bilinear") * 255).round() / 255


def test_drops_change_a_part_of_every_picture_and_leave_the_rest() -> None:
    x = pictures(12)
    changed = (add_drops(x, seeded()) != x).any(dim=1).float().mean(dim=(1, 2))
    assert float(changed.min()) > 0.0005
    assert float(changed.max()) < 0.6
    assert float(changed.std()) > 0.02, "some have few drops, some many"


def test_drops_are_in_one_piece_each() -> None:
    x = pictures(1)
    wet = (add_drops(x, seeded(3)) != x).any(dim=1, keepdim=True).float()
    inner = functional.max_pool2d(-wet, 3, stride=1, padding=1) == -1
    assert float(inner.sum() / wet.sum()) > 0.5, "mostly surrounded by wet pixels"


def test_a_flat_picture_shows_through_a_drop_as_it_is_but_for_its_shading() -> None:
    x = torch.full((4, 3, 120, 160), 0.5)
    difference = add_drops(x, seeded()) - x
    assert float(difference.max()) <= 0.12 + 1e-5
    assert float(difference.min()) >= -0.1 - 1e-5
    assert float(difference.abs().max()) > 0.05
    assert torch.allclose(difference, difference.mean(dim=1, keepdim=True).expand_as(x), atol=1e-6), "colourless"


def test_a_drop_shows_the_scene_upside_down() -> None:
    x = torch.linspace(0, 1, 240).expand(8, 3, 200, 240).mT.contiguous()  # brighter to the bottom
    y = add_drops(x, seeded(2))
    wet = ((y - x).abs() > 0.02).all(dim=1, keepdim=True)
    down = (y[..., 1:, :] - y[..., :-1, :])[wet[..., 1:, :].expand(-1, 3, -1, -1)]
    assert float((down < 0).float().mean()) > 0.6, "darker to the bottom inside"


def test_drops_fall_the_same_from_the_same_rng_and_otherwise_from_another() -> None:
    x = pictures(2)
    before = x.clone()
    assert torch.equal(add_drops(x, seeded(1)), add_drops(x, seeded(1)))
    assert not torch.equal(add_drops(x, seeded(1)), add_drops(x, seeded(2)))
    assert torch.equal(x, before)
    same = x[:1].expand(2, -1, -1, -1)
    assert not torch.equal(*add_drops(same, seeded(1))), "each picture has its own"


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (2, 1, 7, 5), (1, 3, 1, 40)])
def test_small_pictures_can_be_wet(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, generator=seeded(3))
    y = add_drops(x, seeded())
    assert y.shape == x.shape and bool(y.isfinite().all())


def test_rain_of_drops_has_no_streaks_and_mixed_rain_has_drops_now_and_then() -> None:
    x = pictures(40, 60, 80)
    drops = Rain(kind="drops")(x, seeded())
    assert torch.equal(drops, Rain(kind="drops")(x, seeded()))
    untouched = (drops == x).all(dim=1).float().mean(dim=(1, 2))
    assert float(untouched.min()) > 0.2
    assert float(untouched.max()) < 1
    calm = Rain(kind="mixed", strength=0, mist=0, screened=0)(x, seeded())
    wet = (calm != x).any(dim=3).any(dim=2).any(dim=1)
    assert 0.1 < float(wet.float().mean()) < 0.45
    assert float((drops * 255 - (drops * 255).round()).abs().max()) < 1e-4
