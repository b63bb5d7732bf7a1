"""Means of what is around each pixel."""

from __future__ import annotations

import math

import torch

from restoration.smoothing import blurred, local_mean


def test_a_blurred_point_is_a_gaussian_in_every_channel_and_a_constant_stays() -> None:
    x = torch.zeros(2, 3, 41, 41)
    x[..., 20, 20] = 1
    spread, places = blurred(x, 2.0), torch.arange(41.0) - 20
    bell = torch.exp(-(places**2) / 8)
    expected = bell[:, None] * bell / bell.sum() ** 2
    torch.testing.assert_close(spread, expected.expand_as(x), rtol=0, atol=5e-3 / (8 * math.pi))  # of its peak
    torch.testing.assert_close(blurred(torch.full((1, 3, 9, 12), 0.3), 4.0), torch.full((1, 3, 9, 12), 0.3))


def test_a_local_mean_counts_what_there_is() -> None:
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    mean = local_mean(x, 1)
    assert mean.shape == x.shape
    assert float(mean[0, 0, 0, 0]) == float(x[0, 0, :2, :2].mean())
    assert float(mean[0, 0, 1, 2]) == float(x[0, 0, :, 1:4].mean())
