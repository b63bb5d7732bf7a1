"""One loaded method, or several, in many threads at once: each picture comes out as it does alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from small import picture

from restoration import Picture, Restoration, restore

TINY = {"steps": 3, "network.down": [4, 4], "network.up": [4, 4], "network.skip": [4, 4]}


def test_eight_threads_share_one_method_and_each_counts_its_own(weights: Path) -> None:
    made = Restoration("ir-sde", "derain", weights=str(weights), device="cpu", steps=3, precision="fp32")
    pictures = [picture(24 + 8 * (seed % 3), 40, seed) for seed in range(16)]
    alone = [made(one, seed=seed) for seed, one in enumerate(pictures)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda seed: made(pictures[seed], seed=seed), range(16)))
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.picture.pixels, other.picture.pixels)
        assert (one.evaluations, one.tile) == (other.evaluations, other.tile) == (3, 0)


def test_fits_that_run_at_once_are_those_that_run_alone() -> None:
    def fit(seed: int) -> torch.Tensor:
        return restore(picture(24, 32, seed), "dip", "denoise", seed=seed, options=TINY, device="cpu").picture.pixels

    alone = [fit(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert all(torch.equal(*both) for both in zip(alone, pool.map(fit, range(4)), strict=True))


def test_the_random_numbers_of_the_program_are_its_own(weights: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    made = Restoration("ir-sde", "derain", weights=str(weights), device="cpu", steps=1)
    made(Picture(pixels=picture().pixels))
    restore(picture(24, 32), "dip", "denoise", options=TINY, device="cpu")
    assert torch.equal(torch.rand(3), expected)
