"""Noise has the strength it says."""

from __future__ import annotations

import pytest
import torch
from restoration_tasks.noise import GaussianNoise
from torch import Generator, Tensor

from restoration import Task


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def added(noise: GaussianNoise, *shape: int) -> Tensor:
    """Return the noise alone."""
    x = torch.full(shape, 0.9)
    return noise(x, seeded()) - x


@pytest.mark.parametrize("level", [5, 25, 50])
def test_noise_has_the_standard_deviation_it_says(level: float) -> None:
    noise = added(GaussianNoise(sigma=(level, level)), 2, 3, 128, 128)
    assert float(noise.std()) * 255 == pytest.approx(level, rel=0.01)
    assert float(noise.mean()) * 255 == pytest.approx(0, abs=0.02 * level)


def test_every_picture_has_noise_of_its_own_strength_between_the_two() -> None:
    strengths = added(GaussianNoise(sigma=(10, 40)), 64, 3, 32, 32).std(dim=(1, 2, 3)) * 255
    assert 9 < float(strengths.min()) < 15
    assert 35 < float(strengths.max()) < 42


def test_noise_is_normal_and_independent() -> None:
    noise = added(GaussianNoise(sigma=(25, 25)), 1, 3, 128, 128)[0] / 25 * 255
    assert float((noise.abs() < 1).float().mean()) == pytest.approx(0.6827, abs=0.01)
    assert float((noise[:, 1:] * noise[:, :-1]).mean()) == pytest.approx(0, abs=0.02)
    assert float((noise[0] * noise[1]).mean()) == pytest.approx(0, abs=0.03)


def test_noise_is_not_clipped() -> None:
    y = GaussianNoise(sigma=(50, 50))(torch.ones(1, 3, 32, 32), seeded())
    assert float(y.max()) > 1.1


def test_noise_is_the_same_from_the_same_rng_and_another_from_another() -> None:
    x, noise = torch.zeros(2, 3, 8, 8), GaussianNoise()
    assert isinstance(noise, Task)
    assert torch.equal(noise(x, seeded(1)), noise(x, seeded(1)))
    assert not torch.equal(noise(x, seeded(1)), noise(x, seeded(2)))


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 1, 7, 3), (5, 3, 9, 2)])
def test_noisy_pictures_keep_their_shape(shape: tuple[int, ...]) -> None:
    y = GaussianNoise()(torch.zeros(shape), seeded())
    assert y.shape == shape
    assert y.dtype == torch.float32


def test_no_noise_at_all_is_possible() -> None:
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(GaussianNoise(sigma=(0, 0))(x, seeded()), x)


@pytest.mark.parametrize("sigma", [(-1.0, 5.0), (10.0, 5.0)])
def test_noise_that_cannot_be_is_an_error(sigma: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="0 <= least <= most"):
        GaussianNoise(sigma=sigma)
