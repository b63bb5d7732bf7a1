"""The noise of a camera is that of its sensor, mixed, bent and stored."""

from __future__ import annotations

import pytest
import torch
from restoration_tasks.camera import GAMMA, demosaic, log_uniform, photograph
from restoration_tasks.noise import Noise
from torch import Generator, Tensor


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def alike(noise: Tensor) -> float:
    """Return how much the noise of a pixel says about that to its right."""
    left, right = noise[..., :-1].flatten(), noise[..., 1:].flatten()
    return float(torch.corrcoef(torch.stack([left, right]))[0, 1])


def test_a_flat_picture_goes_through_a_mosaic_unchanged() -> None:
    x = torch.tensor([0.2, 0.5, 0.9])[None, :, None, None].expand(2, 3, 7, 8)
    torch.testing.assert_close(demosaic(x), x)


def test_a_mosaic_keeps_what_each_place_sees_and_blends_its_neighbours_in_between() -> None:
    x = torch.rand(1, 3, 6, 6, generator=seeded())
    y = demosaic(x)
    assert torch.equal(y[0, 0, ::2, ::2], x[0, 0, ::2, ::2])
    assert torch.equal(y[0, 1, ::2, 1::2], x[0, 1, ::2, 1::2])
    assert torch.equal(y[0, 2, 1::2, 1::2], x[0, 2, 1::2, 1::2])
    assert float(y[0, 0, 2, 3]) == pytest.approx(float(x[0, 0, 2, 2] + x[0, 0, 2, 4]) / 2)
    assert float(y[0, 1, 2, 2]) == pytest.approx(float(x[0, 1, [1, 3], 2].sum() + x[0, 1, 2, [1, 3]].sum()) / 4)


def test_what_is_stored_has_256_levels_and_neighbours_share_their_noise() -> None:
    x = torch.full((40, 3, 32, 32), 0.5)
    y = photograph(x, torch.full((40, 1, 1, 1), 0.01), seeded())
    assert float(y.min()) >= 0 and float(y.max()) <= 1
    torch.testing.assert_close(y * 255, (y * 255).round(), atol=1e-3, rtol=0)
    assert alike(y - x) > 0.3
    assert abs(alike(Noise(sigma=25)(x, seeded()) - x)) < 0.02


def test_grey_pictures_have_the_noise_of_the_sensor_bent_by_the_tone_curve() -> None:
    x, gain = torch.full((400, 1, 16, 16), 0.6), 0.002
    noise = photograph(x, torch.full((400, 1, 1, 1), gain), seeded()) - x
    slope = 0.6 ** (1 - GAMMA) / GAMMA
    strongest = float(noise.std(dim=(1, 2, 3)).quantile(0.9))
    assert strongest == pytest.approx(slope * (gain * 0.6**GAMMA) ** 0.5, rel=0.1)
    assert float(noise.mean()) == pytest.approx(0, abs=1 / 255)


def test_dark_places_are_noisier_than_bright_ones() -> None:
    x = torch.cat([torch.full((40, 3, 16, 16), 0.1), torch.full((40, 3, 16, 16), 0.8)])
    noise = photograph(x, torch.full((80, 1, 1, 1), 0.002), seeded()) - x
    assert float(noise[:40].std()) > 1.5 * float(noise[40:].std())


@pytest.mark.parametrize("channels", [1, 3])
def test_some_pictures_of_a_batch_are_photographed_as_they_are_among_all(channels: int) -> None:
    x, gain = torch.rand(6, channels, 16, 16, generator=seeded()), torch.full((6, 1, 1, 1), 0.01)
    rngs = seeded(1), seeded(1)
    wanted = torch.tensor([True, False, False, True, True, False])
    assert torch.equal(photograph(x, gain, rngs[0], wanted), photograph(x, gain, rngs[1])[wanted])
    assert torch.equal(rngs[0].get_state(), rngs[1].get_state())


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 1, 7, 3), (5, 3, 2, 9)])
def test_small_and_grey_pictures_are_photographed_too(shape: tuple[int, ...]) -> None:
    y = Noise(kind="camera")(torch.full(shape, 0.4), seeded())
    assert y.shape == shape and y.dtype == torch.float32


def test_gains_are_spread_over_their_orders_of_magnitude() -> None:
    drawn = log_uniform(2000, 0.001, 0.1, seeded())
    assert float((drawn < 0.01).float().mean()) == pytest.approx(0.5, abs=0.05)
    assert float(drawn.min()) >= 0.001 and float(drawn.max()) <= 0.1
