"""Rain: what it looks like, and that it falls the same way twice."""

from __future__ import annotations

import pytest
import torch
from restoration_tasks.rain import Rain
from torch import Generator, Tensor

from restoration import Task


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def pictures(*shape: int) -> Tensor:
    return torch.rand(shape, generator=seeded(9))


def test_rain_falls_the_same_from_the_same_rng_and_otherwise_from_another() -> None:
    x, rain = pictures(2, 3, 40, 32), Rain()
    assert isinstance(rain, Task)
    assert torch.equal(rain(x, seeded(1)), rain(x, seeded(1)))
    assert not torch.equal(rain(x, seeded(1)), rain(x, seeded(2)))


def test_streaks_do_not_depend_on_the_kinds_of_rain_there_are() -> None:
    x = pictures(2, 3, 40, 32)
    assert torch.equal(Rain()(x, seeded(1)), Rain(kind="streaks")(x, seeded(1)))
    dry = Rain(kind="drops")(x, seeded(1))
    assert float((Rain(kind="mixed")(x, seeded(1)) - x).mean()) > float((dry - x).mean())


def test_one_number_is_the_strength_of_all_rain() -> None:
    one, two = (Rain(strength=strength).streaks(4, 48, 64, seeded()) for strength in (0.05, (0.05, 0.05)))
    assert torch.equal(one, two)


def test_pictures_of_a_batch_have_rain_of_their_own() -> None:
    streaks = Rain().streaks(2, 40, 32, seeded())
    assert not torch.equal(streaks[0], streaks[1])


@pytest.mark.parametrize(
    "shape", [(1, 3, 24, 24), (4, 3, 17, 31), (2, 1, 9, 5), (1, 3, 1, 1), (3, 3, 1, 20), (1, 3, 300, 2)]
)
def test_rainy_pictures_are_8_bit_pictures_of_the_same_shape(shape: tuple[int, ...]) -> None:
    x = pictures(*shape)
    before = x.clone()
    y = Rain()(x, seeded())
    assert y.shape == x.shape
    assert y.dtype == torch.float32
    assert float(y.min()) >= 0
    assert float(y.max()) <= 1
    assert float((y * 255 - (y * 255).round()).abs().max()) < 1e-4
    assert torch.equal(x, before)


def test_streaks_are_colourless_where_nothing_is_clipped() -> None:
    x = (pictures(8, 3, 40, 32) * 50).round() / 255
    y = Rain(screened=0, mist=0)(x, seeded())
    added = y - x
    free = (y.amax(dim=1) < 1).unsqueeze(1).expand_as(y)
    mean = added.mean(dim=1, keepdim=True).expand_as(y)
    assert float(free.float().mean()) > 0.9
    assert float((added - mean)[free].abs().max()) < 1.01 / 255


def test_rain_without_mist_brightens() -> None:
    x = (pictures(8, 3, 40, 32) * 255).round() / 255
    for screened in (0.0, 1.0):
        y = Rain(screened=screened, mist=0)(x, seeded())
        assert float((y - x).min()) > -1e-6
        assert float((y - x).mean()) > 0.02


def test_screened_rain_keeps_more_of_the_picture_than_summed_rain() -> None:
    x = torch.full((4, 3, 32, 32), 0.6)
    summed, screened = (Rain(screened=share, mist=0)(x, seeded()) for share in (0.0, 1.0))
    assert bool((screened <= summed).all())
    assert not torch.equal(screened, summed)


def test_mist_lowers_the_contrast() -> None:
    x = (pictures(8, 3, 40, 32) > 0.5).float()
    misty, clear = (Rain(strength=(0, 0), mist=share, screened=0)(x, seeded()) for share in (1.0, 0.0))
    assert torch.equal(clear, x)
    contrast = misty.amax(dim=(1, 2, 3)) - misty.amin(dim=(1, 2, 3))
    assert float(contrast.min()) > 0.59
    assert float(contrast.max()) < 0.96
    assert bool((misty.amin(dim=(1, 2, 3)) > 0.02).all())


def test_the_mean_of_the_rain_is_within_the_bounds_of_its_strength() -> None:
    means = Rain(strength=(0.02, 0.1)).streaks(64, 48, 64, seeded()).mean(dim=(1, 2, 3))
    assert float(means.min()) > 0.01
    assert float(means.max()) <= 0.1 + 1e-6
    assert float(means.max() - means.min()) > 0.04
    exact = Rain(strength=(0.02, 0.02)).streaks(16, 48, 64, seeded()).mean(dim=(1, 2, 3))
    assert float(exact.max()) == pytest.approx(0.02) == float(exact.median())


def test_streaks_are_not_negative_and_not_much_brighter_than_white() -> None:
    streaks = Rain(strength=(0.9, 1), heavy=0).streaks(32, 48, 64, seeded())
    assert float(streaks.min()) >= 0
    assert 0.6 <= float(streaks.max()) <= 1.1 + 1e-6


def test_heavy_rain_covers_more_and_adds_up_beyond_white() -> None:
    light, heavy = (Rain(strength=(0.9, 1), heavy=share).streaks(32, 48, 64, seeded()) for share in (0, 1))
    assert float((heavy > 0.05).float().mean()) > float((light > 0.05).float().mean()) + 0.1
    assert float(heavy.max()) > 1.5
    assert float(Rain(strength=(0.9, 1), heavy=1)(pictures(4, 3, 48, 64), seeded()).max()) == 1


def test_streaks_are_longer_than_wide_and_mostly_upright() -> None:
    streaks = Rain(layers=1).streaks(64, 64, 64, seeded())
    down, across = streaks.diff(dim=-2).abs().mean(), streaks.diff(dim=-1).abs().mean()
    assert float(across) > 1.5 * float(down)


@pytest.mark.parametrize(
    "options",
    [
        {"strength": (0.3, 0.2)},
        {"strength": (-0.1, 0.2)},
        {"strength": (0.1, 1.2)},
        {"layers": 0},
        {"screened": 1.5},
        {"mist": -0.1},
    ],
)
def test_rain_that_cannot_be_is_an_error(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"strength|layers|probabilities"):
        Rain(**options)  # type: ignore[arg-type]
