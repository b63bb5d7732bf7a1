"""The noise of a picture, estimated from the picture alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor

from restoration.images import read
from restoration.noise_level import estimate_sigma, impulse_share, share_left

CLEAN = Path(__file__).parents[1] / "examples" / "derain" / "clean"
NAMES = ("bridge", "hopper")


def photo(name: str, side: int = 256) -> Tensor:
    return read(CLEAN / f"{name}.png").pixels[..., 128 : 128 + side, 128 : 128 + side]


def noisy(x: Tensor, level: float, seed: int = 0) -> Tensor:
    return x + level / 255 * torch.randn(x.shape, generator=Generator().manual_seed(seed))


@pytest.mark.parametrize("level", [5, 15, 25, 50])
@pytest.mark.parametrize("name", NAMES)
def test_the_noise_of_a_textured_photograph_is_found_within_five_per_cent(name: str, level: float) -> None:
    assert estimate_sigma(noisy(photo(name), level)) * 255 == pytest.approx(level, rel=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_a_clean_photograph_has_next_to_no_noise(name: str) -> None:
    assert estimate_sigma(photo(name)) < 1.5 / 255


@pytest.mark.parametrize(("level", "off"), [(5, 0.05), (25, 0.05), (50, 0.12), (75, 0.15)])
@pytest.mark.parametrize("name", NAMES)
def test_noise_that_a_file_cut_off_is_found_too(name: str, level: float, off: float) -> None:
    y = (noisy(photo(name), level).clamp(0, 1) * 255).round() / 255
    assert estimate_sigma(y) * 255 == pytest.approx(level, rel=off)


def test_what_is_cut_off_is_what_a_censored_normal_distribution_lacks() -> None:
    mean = torch.tensor([0.0, 0.2, 0.5, 0.9], dtype=torch.float64)
    drawn = mean + 0.3 * torch.randn(400_000, 4, generator=Generator().manual_seed(0), dtype=torch.float64)
    left = drawn.clamp(0, 1).var(dim=0).mean().sqrt() / 0.3
    assert share_left(mean, 0.3) == pytest.approx(float(left), rel=2e-3)
    assert share_left(mean[2:3], 0.01) == pytest.approx(1)


def test_a_batch_of_colour_or_grey_is_one_estimate_in_the_units_of_the_pictures() -> None:
    y = noisy(torch.cat([photo(name) for name in NAMES]), 20)
    assert estimate_sigma(y) * 255 == pytest.approx(20, rel=0.05)
    assert estimate_sigma(y[:, :1]) * 255 == pytest.approx(20, rel=0.1)
    assert estimate_sigma(255 * y) == pytest.approx(255 * estimate_sigma(y), rel=1e-3)
    assert estimate_sigma(y + 3) == pytest.approx(estimate_sigma(y), rel=1e-3)
    assert estimate_sigma(y.double()) == estimate_sigma(y)


def test_large_pictures_are_looked_at_here_and_there() -> None:
    y = noisy(read(CLEAN / "bridge.png").pixels.repeat(1, 1, 2, 2), 20)
    assert estimate_sigma(y) * 255 == pytest.approx(20, rel=0.05)


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 5, 40), (1, 1, 6, 6), (2, 3, 64, 64)])
def test_small_or_flat_pictures_have_none(shape: tuple[int, ...]) -> None:
    assert estimate_sigma(torch.full(shape, 0.7)) == pytest.approx(0, abs=1e-6)


def test_pure_noise_is_its_own_standard_deviation_and_nothing_is_drawn_or_changed() -> None:
    y = noisy(torch.zeros(1, 3, 128, 128), 40)
    before, drawn = y.clone(), torch.random.get_rng_state()
    assert estimate_sigma(y) * 255 == pytest.approx(40, rel=0.02)
    assert torch.equal(y, before)
    assert torch.equal(torch.random.get_rng_state(), drawn)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4])
@pytest.mark.parametrize("name", NAMES)
def test_wrong_pixels_are_counted(name: str, share: float) -> None:
    x = photo(name)
    lots = torch.rand(x.shape, generator=Generator().manual_seed(0))
    y = torch.where(lots < share, (lots < share / 2).to(x), x)
    assert impulse_share(y) == pytest.approx(share, rel=0.35)
    assert impulse_share(noisy(y, 8).clamp(0, 1)) < 0.7 * share


@pytest.mark.parametrize("level", [0, 5, 25, 75])
@pytest.mark.parametrize("name", NAMES)
def test_noise_that_is_everywhere_is_not_taken_for_wrong_pixels(name: str, level: float) -> None:
    assert impulse_share(noisy(photo(name), level).clamp(0, 1)) < 0.005


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 1, 2, 40), (1, 3, 3, 3), (2, 3, 64, 64)])
def test_black_or_small_pictures_have_no_wrong_pixels(shape: tuple[int, ...]) -> None:
    assert impulse_share(torch.zeros(shape)) == 0
