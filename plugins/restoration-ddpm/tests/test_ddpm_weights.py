"""The weights of the plugin draw pictures like those that they were trained on, and denoise such pictures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from restoration_ddpm.generation import Generation

from restoration import BadWeights, Observation, Restoration, psnr, resolve


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_what_they_draw_is_bright_in_the_middle_and_black_around_as_the_pictures_are() -> None:
    pictures = Generation("ddpm/fashion-mnist", steps=10, device="cpu", precision="fp32")(0, 32)
    assert pictures.shape == (32, 1, 28, 28)
    corners = torch.cat([pictures[..., :2, :2], pictures[..., -2:, -2:]])
    assert float(corners.mean()) < 0.15
    assert 0.18 < float(pictures.mean()) < 0.42, "the mean of Fashion-MNIST is 0.286"
    assert float(pictures[..., 8:20, 10:18].mean()) > float(pictures.mean()) + 0.1


def test_noise_goes_away_from_a_picture_of_their_kind() -> None:
    (clean,) = Generation("ddpm/fashion-mnist", steps=20, device="cpu", precision="fp32")(3, 1)
    y = clean[None] + 50 / 255 * torch.randn(1, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    method = Restoration("ddpm", "denoise", weights="ddpm/fashion-mnist", steps=1, device="cpu")
    restored = method(Observation(y=y, sigma=50 / 255)).picture.pixels
    assert psnr(restored, clean[None]) > psnr(y.clamp(0, 1), clean[None]) + 3


def test_they_are_not_taken_for_photographs_unless_that_is_said() -> None:
    with pytest.raises(BadWeights, match="of one kind of picture; name some with --weights: ddpm/fashion-mnist"):
        resolve(None, "ddpm", "denoise")
