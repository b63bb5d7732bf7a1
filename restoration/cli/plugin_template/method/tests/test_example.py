"""The promises of every method, and what this one is good for."""

from __future__ import annotations

import torch
from restoration import Picture, psnr, restore
from restoration.testing import RestorerContract, scene


class TestMedian(RestorerContract):
    """The contract of a method, on the one that its card describes."""

    name = "example"


def test_it_takes_away_salt_and_pepper() -> None:
    clean = scene(64, 80)
    draw = torch.rand(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = clean.masked_fill(draw < 0.05, 0.0).masked_fill(draw > 0.95, 1.0)
    restored = restore(Picture(pixels=noisy), "example", "denoise").picture.pixels
    assert psnr(restored, clean) > psnr(noisy, clean) + 6
