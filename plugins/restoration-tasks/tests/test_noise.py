"""Noise has the strength it says, whatever its kind."""

from __future__ import annotations

import pytest
import torch
from restoration_tasks.noise import SHARES, Noise
from torch import Generator, Tensor

from restoration import KnowingTask, Picture, Task


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def added(noise: Noise, *shape: int) -> Tensor:
    """Return the noise alone."""
    x = torch.full(shape, 0.9)
    return noise(x, seeded()) - x


@pytest.mark.parametrize("level", [5, 25, 50])
def test_noise_has_the_standard_deviation_it_says(level: float) -> None:
    noise = added(Noise(sigma=(level, level)), 2, 3, 128, 128)
    assert float(noise.std()) * 255 == pytest.approx(level, rel=0.01)
    assert float(noise.mean()) * 255 == pytest.approx(0, abs=0.02 * level)


def test_every_picture_has_noise_of_its_own_strength_between_the_two() -> None:
    strengths = added(Noise(sigma=(10, 40)), 64, 3, 32, 32).std(dim=(1, 2, 3)) * 255
    assert 9 < float(strengths.min()) < 15
    assert 35 < float(strengths.max()) < 42


def test_noise_is_normal_and_independent() -> None:
    noise = added(Noise(sigma=(25, 25)), 1, 3, 128, 128)[0] / 25 * 255
    assert float((noise.abs() < 1).float().mean()) == pytest.approx(0.6827, abs=0.01)
    assert float((noise[:, 1:] * noise[:, :-1]).mean()) == pytest.approx(0, abs=0.02)
    assert float((noise[0] * noise[1]).mean()) == pytest.approx(0, abs=0.03)


def test_noise_is_not_clipped() -> None:
    y = Noise(sigma=(50, 50))(torch.ones(1, 3, 32, 32), seeded())
    assert float(y.max()) > 1.1


def test_a_share_of_the_pictures_is_cut_off_and_has_256_levels_as_in_a_file() -> None:
    x = torch.full((200, 3, 8, 8), 0.02)
    y, free = (Noise(sigma=25, clipped=share)(x, seeded()) for share in (0.4, 0.0))
    cut = (y >= 0).all(dim=3).all(dim=2).all(dim=1)
    assert float(cut.float().mean()) == pytest.approx(0.4, abs=0.1)
    torch.testing.assert_close(y[cut], (free[cut].clamp(0, 1) * 255).round() / 255, atol=0, rtol=0)
    assert torch.equal(y[~cut], free[~cut])


def test_noise_is_the_same_from_the_same_rng_and_another_from_another() -> None:
    x, noise = torch.zeros(2, 3, 8, 8), Noise()
    assert isinstance(noise, Task) and isinstance(noise, KnowingTask)
    assert torch.equal(noise(x, seeded(1)), noise(x, seeded(1)))
    assert not torch.equal(noise(x, seeded(1)), noise(x, seeded(2)))


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 1, 7, 3), (5, 3, 9, 2)])
def test_noisy_pictures_keep_their_shape(shape: tuple[int, ...]) -> None:
    y = Noise()(torch.zeros(shape), seeded())
    assert y.shape == shape
    assert y.dtype == torch.float32


def test_no_noise_at_all_is_possible() -> None:
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(Noise(sigma=(0, 0))(x, seeded()), x)


def variance(noise: Noise, brightness: float) -> float:
    x = torch.full((1, 1, 300, 300), brightness)
    return float((noise(x, seeded()) - x).var())


@pytest.mark.parametrize("brightness", [0.0, 0.25, 1.0])
def test_the_variance_of_a_sensor_grows_with_the_light(brightness: float) -> None:
    noise = Noise(kind="poisson-gaussian", gain=0.02, sigma=5)
    assert variance(noise, brightness) == pytest.approx(0.02 * brightness + (5 / 255) ** 2, rel=0.03)


def test_the_dark_noise_of_a_sensor_is_at_most_ten_levels() -> None:
    noise = Noise(kind="poisson-gaussian", gain=0, sigma=50)
    assert variance(noise, 0.5) == pytest.approx((10 / 255) ** 2, rel=0.03)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_impulses_turn_their_share_of_the_values_black_or_white_and_leave_the_others(share: float) -> None:
    x = torch.full((1, 3, 200, 200), 0.4)
    y = Noise(kind="impulse", impulse=share)(x, seeded())
    black, white = ((y == value).float().mean() for value in (0, 1))
    assert float(black) == pytest.approx(share / 2, abs=0.005)
    assert float(white) == pytest.approx(share / 2, abs=0.005)
    assert torch.equal(y[(y != 0) & (y != 1)], x[(y != 0) & (y != 1)])


def test_mixed_noise_is_of_all_four_kinds_and_mostly_gaussian() -> None:
    x = torch.full((400, 3, 24, 24), 0.5)
    y = Noise(kind="mixed", sigma=60, gain=0, impulse=0.2, camera_gain=0.001)(x, seeded())
    strength = (y - x).std(dim=(1, 2, 3)) * 255
    impulses = ((y == 0) | (y == 1) | (y == 0.5)).all(dim=3).all(dim=2).all(dim=1)
    stored = (y * 255 - (y * 255).round()).abs().amax(dim=(1, 2, 3)) < 1e-3
    sensor = ~impulses & ~stored & (strength < 20)
    gaussian = ~impulses & ~stored & ~sensor
    shares = [float(which.float().mean()) for which in (gaussian, sensor, impulses, stored & ~impulses)]
    assert shares == pytest.approx(SHARES, abs=0.06)
    assert float(strength[gaussian].mean()) == pytest.approx(60, rel=0.02)


def test_noise_of_one_strength_is_known_and_any_other_is_not() -> None:
    x = torch.rand(1, 3, 8, 8, generator=seeded(3))
    told = Noise(sigma=51).observe(x, seeded())
    assert told.sigma == pytest.approx(0.2)
    assert told.operator is None
    assert torch.equal(told.y, Noise(sigma=51)(x, seeded()))
    for unsure in (Noise(), Noise(sigma=(10, 20)), Noise(sigma=51, kind="mixed"), Noise(sigma=51, kind="impulse")):
        assert unsure.observe(x, seeded()).sigma is None


def test_a_noisy_picture_is_what_was_measured_and_its_noise_what_was_said() -> None:
    picture = Picture(pixels=torch.rand(1, 3, 8, 8, generator=seeded(3)))
    assert Noise(sigma=25.5).describe(picture).sigma == pytest.approx(0.1)
    assert Noise().describe(picture).sigma is None
    assert torch.equal(Noise().describe(picture).y, picture.pixels)


@pytest.mark.parametrize(
    "options",
    [
        {"sigma": (-1.0, 5.0)},
        {"sigma": (10.0, 5.0)},
        {"sigma": 256},
        {"sigma": float("nan")},
        {"gain": 1.5},
        {"impulse": -0.1},
        {"impulse": (0.5, 0.1)},
        {"clipped": 1.5},
        {"camera_gain": 0.0},
    ],
)
def test_noise_that_cannot_be_is_an_error(options: dict[str, float]) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} must be a number or two, .* <= least <= most"):
        Noise(**options)  # type: ignore[arg-type]
