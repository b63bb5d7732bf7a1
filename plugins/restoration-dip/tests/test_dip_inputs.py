"""What the network is shown, against the numbers of the published code (`data/inputs.safetensors`)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from restoration_dip.inputs import mesh_grid, noise
from safetensors.torch import load_file
from torch import Generator, Tensor


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """`get_noise` of `DmitryUlyanov/deep-image-prior` at 042e0d4: 3 channels of 5x7 with seed 0, a grid of 4x6."""
    return load_file(Path(__file__).parent / "data" / "inputs.safetensors")


def test_noise_is_that_of_the_published_code(published: dict[str, Tensor]) -> None:
    assert torch.equal(noise(3, 5, 7, Generator().manual_seed(0)), published["noise"])


def test_where_each_pixel_lies_is_that_of_the_published_code(published: dict[str, Tensor]) -> None:
    torch.testing.assert_close(mesh_grid(4, 6), published["mesh_grid"].float(), rtol=0, atol=1e-7)


def test_noise_is_uniform_from_zero_to_a_tenth() -> None:
    z = noise(4, 64, 48, Generator().manual_seed(1))
    assert z.shape == (1, 4, 64, 48) and z.dtype == torch.float32
    assert 0 <= float(z.min()) < 1e-4 and 0.0999 < float(z.max()) < 0.1
    assert float(z.mean()) == pytest.approx(0.05, abs=5e-4)
    assert float(z.std()) == pytest.approx(0.1 / 12**0.5, abs=5e-4)


def test_noise_comes_from_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (noise(2, 9, 9, Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1)])
def test_a_row_and_a_single_pixel_have_places_too(size: tuple[int, int]) -> None:
    grid = mesh_grid(*size)
    assert grid.shape == (1, 2, *size) and grid.isfinite().all()
    assert float(grid.max()) == float(max(size) > 1)
