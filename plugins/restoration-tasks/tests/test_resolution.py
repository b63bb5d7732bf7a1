"""Low resolution: sizes, what is measured, and what it is enlarged to."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from restoration_tasks.resolution import LowResolution, enlarge
from torch import Generator, Tensor

from restoration import KnowingTask, Picture
from restoration.operators import Resampling


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def pictures(*shape: int) -> Tensor:
    return torch.rand(shape, generator=seeded(9))


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (24, 36)])
@pytest.mark.parametrize("scale", [2, 3, 4, 16])
def test_small_pictures_are_matlabs_and_enlarged_to_the_size_of_the_clean_ones(
    scale: int, size: tuple[int, int]
) -> None:
    x = pictures(2, 3, *size)
    seen = LowResolution(scale=scale).observe(x, seeded())
    assert seen.measured is not None
    assert seen.measured.shape == (2, 3, -(-size[0] // scale), -(-size[1] // scale))
    assert torch.equal(seen.measured, Resampling(Fraction(1, scale), size).rounded(x))
    assert seen.y.shape == x.shape
    assert torch.equal(seen.y, enlarge(seen.measured, scale)[..., : size[0], : size[1]])
    assert seen.sigma == 0


def test_the_operator_makes_what_was_measured() -> None:
    x = 0.2 + 0.6 * pictures(1, 3, 24, 36)
    seen = LowResolution(scale=3).observe(x, seeded())
    assert seen.operator is not None and seen.measured is not None
    assert float((seen.operator(x) - seen.measured).abs().max()) < 2 / 255


def test_a_small_picture_says_how_large_the_clean_one_was() -> None:
    small = pictures(1, 1, 5, 7)
    told = LowResolution(scale=3).describe(Picture(pixels=small))
    assert told.y.shape == (1, 1, 15, 21)
    assert told.measured is small
    assert told.operator is not None
    assert told.operator(told.y).shape == small.shape
    assert LowResolution().describe(Picture(pixels=small)).y.shape == (1, 1, 20, 28), "4 if not said"


def test_an_enlarged_picture_made_small_again_is_nearly_the_same() -> None:
    small = torch.nn.functional.interpolate(pictures(1, 3, 4, 5), (16, 20), mode="bilinear")
    for scale in (2, 3, 4):
        large = enlarge(small, scale)
        again = Resampling(Fraction(1, scale), (large.shape[-2], large.shape[-1]))(large)
        assert float((again - small).abs().max()) < 0.05


def test_several_scales_are_drawn_from() -> None:
    x = pictures(1, 1, 24, 24)
    sides = set()
    for seed in range(20):
        measured = LowResolution().observe(x, seeded(seed)).measured
        assert measured is not None
        sides.add(measured.shape[-1])
    assert sides == {12, 8, 6}


def test_noise_is_added_to_the_small_picture() -> None:
    x = torch.full((1, 3, 128, 128), 0.5)
    task = LowResolution(scale=2, noise=10)
    seen, again = task.observe(x, seeded()), task.observe(x, seeded())
    assert isinstance(task, KnowingTask)
    assert seen.measured is not None
    assert float(seen.measured.std()) * 255 == pytest.approx(10, rel=0.03)
    assert seen.sigma == pytest.approx(10 / 255)
    assert torch.equal(seen.y, again.y)
    assert torch.equal(seen.y, task(x, seeded()))
    assert not torch.equal(seen.y, task(x, seeded(1)))


@pytest.mark.parametrize(
    "options", [{"scale": 1}, {"scale": 17}, {"scale": ()}, {"scale": (2, 1)}, {"noise": -1.0}, {"noise": float("nan")}]
)
def test_a_resolution_that_cannot_be_is_an_error(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        LowResolution(**options)  # type: ignore[arg-type]
