"""What the network is shown, against the numbers of the published code (`data/inputs.safetensors`)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from restoration_dip.fit.inputs import MaskedInput, blur_known, draw_noise, make_mesh_grid
from safetensors.torch import load_file
from torch import Generator, Tensor


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """`get_noise` of `DmitryUlyanov/deep-image-prior` at 042e0d4: 3 channels of 5x7 with seed 0, a grid of 4x6."""
    return load_file(Path(__file__).parent / "data" / "inputs.safetensors")


def test_noise_is_that_of_the_published_code(published: dict[str, Tensor]) -> None:
    assert torch.equal(draw_noise(3, 5, 7, Generator().manual_seed(0)), published["noise"])


def test_where_each_pixel_lies_is_that_of_the_published_code(published: dict[str, Tensor]) -> None:
    torch.testing.assert_close(make_mesh_grid(4, 6), published["mesh_grid"].float(), rtol=0, atol=1e-7)


def test_noise_is_uniform_from_zero_to_a_tenth() -> None:
    z = draw_noise(4, 64, 48, Generator().manual_seed(1))
    assert z.shape == (1, 4, 64, 48) and z.dtype == torch.float32
    assert 0 <= float(z.min()) < 1e-4 and 0.0999 < float(z.max()) < 0.1
    assert float(z.mean()) == pytest.approx(0.05, abs=5e-4)
    assert float(z.std()) == pytest.approx(0.1 / 12**0.5, abs=5e-4)


def test_noise_comes_from_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (draw_noise(2, 9, 9, Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1)])
def test_a_row_and_a_single_pixel_have_places_too(size: tuple[int, int]) -> None:
    grid = make_mesh_grid(*size)
    assert grid.shape == (1, 2, *size) and grid.isfinite().all()
    assert float(grid.max()) == float(max(size) > 1)


def test_blurred_copies_have_little_of_the_noise_and_all_of_what_is_large() -> None:
    rng = Generator().manual_seed(0)
    x = torch.linspace(0.2, 0.8, 96).expand(1, 3, 80, 96)
    noisy = x + 0.1 * torch.randn(x.shape, generator=rng)
    copies = blur_known(noisy, torch.ones(1, 1, 80, 96), blurs=(4.0, 1.0))
    assert copies.shape == (1, 6, 80, 96)
    inside = (..., slice(16, -16), slice(16, -16))
    for copy, scale in zip(copies.chunk(2, dim=1), (1.0, 4.0), strict=True):  # the sharpest first
        left = float((copy + 0.5 - x)[inside].std())
        assert left == pytest.approx(
            0.1 / (2 * torch.pi**0.5 * scale), rel=0.15
        )  # of white noise, a Gaussian leaves that
    constant = blur_known(torch.full((1, 3, 24, 30), 0.7), torch.ones(1, 1, 24, 30))
    torch.testing.assert_close(constant, torch.full_like(constant, 0.2), rtol=0, atol=1e-5)


def test_blurred_copies_know_nothing_of_what_is_not_known() -> None:
    rng = Generator().manual_seed(0)
    y, other = torch.rand(1, 3, 48, 60, generator=rng), torch.rand(1, 3, 48, 60, generator=rng)
    known = torch.ones(1, 1, 48, 60)
    known[..., 10:40, 10:50] = 0
    hidden = torch.where(known == 1, y, other)
    copies = blur_known(y, known)
    torch.testing.assert_close(blur_known(hidden, known), copies, rtol=0, atol=1e-6)
    assert copies.isfinite().all() and float((copies + 0.5).min()) > -1e-3 and float((copies + 0.5).max()) < 1 + 1e-3
    nothing = blur_known(y, torch.zeros(1, 1, 48, 60))
    assert nothing.isfinite().all()


def test_what_is_hidden_does_not_show_and_is_drawn_anew_from_what_is_fitted() -> None:
    y, known = torch.rand(1, 3, 40, 48, generator=Generator().manual_seed(0)), torch.ones(1, 1, 40, 48)
    known[..., :10] = 0
    fitted = known.clone()
    fitted[..., 30:] = 0
    masked = MaskedInput(y, known, fitted, 0.2, Generator().manual_seed(1))
    first, hidden = masked(), masked.hidden > 0
    assert first.shape == (1, masked.channels, 40, 48) and first.isfinite().all()
    assert float(hidden[..., 10:30].float().mean()) == pytest.approx(0.2, abs=0.03)
    assert not hidden[..., :10].any() and not hidden[..., 30:].any()
    assert not torch.equal(hidden[:, :1], hidden[:, 1:2]), "colours are hidden apart"
    other = MaskedInput(torch.where(hidden | (known == 0), 1 - y, y), known, fitted, 0.2, Generator().manual_seed(1))
    torch.testing.assert_close(other(), first, rtol=0, atol=1e-6)
    masked()
    assert not torch.equal(masked.hidden > 0, hidden)


def test_nothing_that_is_held_out_by_the_mask_comes_back_through_the_sharpest_copy() -> None:
    y = torch.rand(1, 1, 30, 30, generator=Generator().manual_seed(0))
    masked = MaskedInput(y, torch.ones_like(y), torch.ones_like(y), 0.5, Generator().manual_seed(1))
    sharpest, hidden = masked()[:, :1] + 0.5, masked.hidden > 0
    seen = float((sharpest - y)[~hidden].abs().mean())
    assert seen < 0.15 < float((sharpest - y)[hidden].abs().mean())
