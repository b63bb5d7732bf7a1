"""JPEG: what an encoder leaves, more of it at a higher quality."""

from __future__ import annotations

import pytest
import torch
from restoration_tasks.jpeg import JPEG
from torch import Generator, Tensor
from torch.nn import functional

from restoration import Picture, Task, psnr
from restoration.images import decode, encode


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def pictures(batch: int, channels: int, height: int = 48, width: int = 64) -> Tensor:
    """Soft shades with some grain."""
    coarse = functional.interpolate(torch.rand(batch, channels, 6, 8, generator=seeded(9)), (height, width))
    x = 0.8 * coarse + 0.2 * torch.rand(batch, channels, height, width, generator=seeded(8))
    return (x * 255).round() / 255


@pytest.mark.parametrize("channels", [1, 3])
def test_a_higher_quality_comes_nearer_to_the_picture(channels: int) -> None:
    x = pictures(1, channels)
    gains = [psnr(JPEG(quality=quality)(x, seeded()), x) for quality in (1, 5, 10, 20, 40, 60, 80, 95, 100)]
    assert gains == sorted(gains)
    assert gains[0] < 25
    assert gains[-1] > 40


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (2, 1, 7, 5), (3, 3, 17, 9)])
def test_compressed_pictures_are_8_bit_pictures_of_the_same_shape(shape: tuple[int, int, int, int]) -> None:
    x = torch.rand(shape, generator=seeded(3))
    y = JPEG()(x, seeded())
    assert y.shape == x.shape and y.dtype == torch.float32
    assert torch.equal((y * 255).round() / 255, y)
    assert not torch.equal(y, x)


def test_a_picture_is_what_its_file_would_be() -> None:
    x = pictures(1, 3)
    file = encode(Picture(pixels=x), ".jpg", 30)
    assert torch.equal(JPEG(quality=30)(x, seeded()), decode(file, "file.jpg").pixels)


def test_a_grey_picture_stays_grey_and_colours_lose_resolution() -> None:
    x = pictures(1, 3)
    grey = x.mean(dim=1, keepdim=True)
    three = JPEG(quality=50)(grey.expand(-1, 3, -1, -1), seeded())
    assert float((three - three.mean(dim=1, keepdim=True)).abs().max()) < 1.01 / 255
    lines = torch.zeros(1, 3, 32, 32)
    lines[:, 0, :, ::2], lines[:, 2, :, 1::2] = 0.6, 1.0
    halved, full = JPEG(quality=89)(lines, seeded()), JPEG(quality=90)(lines, seeded())
    assert psnr(full, lines) > psnr(halved, lines) + 5


def test_each_picture_of_a_batch_has_its_own_quality_from_the_rng() -> None:
    x = pictures(1, 3).expand(6, -1, -1, -1)
    task = JPEG()
    assert isinstance(task, Task)
    y = task(x, seeded())
    assert len({psnr(one[None], x[:1]) for one in y}) > 3
    assert torch.equal(y, task(x, seeded()))
    assert not torch.equal(y, task(x, seeded(1)))


@pytest.mark.parametrize("quality", [0, 101, (60, 5), float("nan")])
def test_a_quality_that_cannot_be_is_an_error(quality: float) -> None:
    with pytest.raises(ValueError, match="quality must be a number or two, 1 <= least <= most <= 100"):
        JPEG(quality=quality)
