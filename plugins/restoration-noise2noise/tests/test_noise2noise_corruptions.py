"""The damage of Noise2Noise has the mean, median or mode that is promised."""

from __future__ import annotations

import pytest
import torch
from restoration_noise2noise.corruptions import Corruption
from restoration_noise2noise.writing import LETTERS, draw_writing
from torch import Generator
from torch.testing import assert_close


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def test_gaussian_and_shot_noise_have_mean_0_and_the_strength_that_is_asked_for() -> None:
    x = torch.full((1, 3, 200, 200), 0.3)
    for options, sigma in (
        ({"kind": "gaussian", "sigma": 25.0}, 25 / 255),
        ({"kind": "poisson", "photons": 30.0}, (0.3 / 30) ** 0.5),
    ):
        noise = Corruption(**options)(x, seeded()) - x
        assert_close(noise.mean(), torch.tensor(0.0), atol=0.002, rtol=0)
        assert_close(noise.std(), torch.tensor(sigma), atol=0.002, rtol=0)


def test_shot_noise_counts_photons() -> None:
    y = Corruption(kind="poisson", photons=20.0)(torch.rand(1, 3, 20, 20, generator=seeded()), seeded())
    assert_close(y * 20, (y * 20).round())


def test_impulses_replace_a_share_of_the_pixels_in_all_channels() -> None:
    x = torch.full((1, 3, 100, 100), 0.3)
    y = Corruption(kind="impulse", impulse=0.4)(x, seeded())
    hit = (y != x).all(dim=1)
    assert torch.equal(hit, (y != x).any(dim=1))
    assert abs(float(hit.float().mean()) - 0.4) < 0.02
    assert_close(y[:, :, hit[0]].mean(), torch.tensor(0.5), atol=0.02, rtol=0)


def test_words_cover_at_least_the_share_and_most_colours_stay() -> None:
    for height, width in ((60, 80), (5, 3), (200, 40)):
        x = torch.rand(1, 3, height, width, generator=seeded())
        y = draw_writing(x, 0.25, seeded())
        share = float((y != x).any(dim=1).float().mean())
        assert share >= 0.25
    assert share < 0.4
    assert torch.equal(draw_writing(x, 0.0, seeded()), x)
    assert len(LETTERS) == 26
    assert len({tuple(letter.flatten().tolist()) for letter in LETTERS}) == 26


def test_a_picture_of_a_batch_is_damaged_apart_from_the_others() -> None:
    x = torch.rand(8, 1, 30, 30, generator=seeded())
    y = Corruption()(x, seeded())
    assert y.shape == x.shape
    assert len({float((one - clean).abs().mean()) for one, clean in zip(y, x, strict=True)}) == 8


def test_a_range_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="photons must be a number or two"):
        Corruption(photons=0.0)
    with pytest.raises(ValueError, match="text must be a number or two"):
        Corruption(text=(0.4, 0.1))
