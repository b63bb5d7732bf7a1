"""PSNR, SSIM and MS-SSIM against closed forms, scikit-image and piq."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from einops import rearrange
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Generator, Tensor

from restoration.metrics import luma, ms_ssim, psnr, ssim

FULL_RANGE = 20 * math.log10(255 / 219)
"""What PSNR on Y of 16 to 235 is above that on Y of 0 to 255: 1.32 dB."""


def pair(*shape: int) -> tuple[Tensor, Tensor]:
    """Return a smooth picture and a noisy one."""
    rng = Generator().manual_seed(0)
    rows, columns = torch.linspace(0, 3, shape[-2])[:, None], torch.linspace(0, 5, shape[-1])
    x = (0.5 + 0.4 * torch.sin(rows + columns)).expand(shape)
    return x, (x + 0.08 * torch.randn(shape, generator=rng)).clamp(0, 1)


def grey(image: Tensor) -> Tensor:
    """Return Y of 0 to 1, BT.601."""
    return torch.einsum("bchw,c->bhw", image.double(), torch.tensor([0.299, 0.587, 0.114]).double())[:, None]


@pytest.mark.parametrize(("error", "decibels"), [(1.0, 0), (0.1, 20), (0.01, 40), (1 / 255, 48.1308)])
def test_psnr_of_a_constant_error_is_its_logarithm(error: float, decibels: float) -> None:
    clean = torch.zeros(1, 3, 5, 7, dtype=torch.float64)
    assert psnr(clean + error, clean) == pytest.approx(decibels, abs=1e-4)


def test_equal_pictures_are_infinitely_alike() -> None:
    x, _ = pair(1, 3, 16, 16)
    assert psnr(x, x) == math.inf
    assert ssim(x, x) == pytest.approx(1)


def test_psnr_agrees_with_scikit_image() -> None:
    x, y = pair(1, 3, 20, 30)
    expected = peak_signal_noise_ratio(x.double().numpy(), y.double().numpy(), data_range=1)  # type: ignore[no-untyped-call]
    assert psnr(y, x) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(1, 3, 40, 33), (1, 1, 11, 11), (1, 3, 64, 20)])
def test_ssim_agrees_with_scikit_image(shape: tuple[int, ...]) -> None:
    x, y = pair(*shape)
    _, whole = structural_similarity(  # type: ignore[no-untyped-call]
        x[0].double().numpy(),
        y[0].double().numpy(),
        channel_axis=0,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    assert ssim(y, x) == pytest.approx(whole[:, 5:-5, 5:-5].mean(), abs=1e-6)


def test_ssim_on_y_is_that_of_the_lumas() -> None:
    x, y = pair(1, 3, 32, 32)
    assert ssim(y, x, space="y") == pytest.approx(ssim(luma(y.double()), luma(x.double())), abs=1e-12)


def test_ssim_of_two_constants_compares_their_means_only() -> None:
    one, other = torch.full((1, 1, 16, 16), 0.2).double(), torch.full((1, 1, 16, 16), 0.6).double()
    assert ssim(one, other) == pytest.approx((2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4))


def test_ssim_falls_with_noise_and_does_not_care_which_picture_is_first() -> None:
    x, y = pair(1, 3, 32, 32)
    assert 0 < ssim(y, x) < 0.95
    assert ssim(y, x) == pytest.approx(ssim(x, y))


def test_luma_is_matlabs() -> None:
    colours = torch.tensor(
        [[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.4, 0.8]], dtype=torch.float64
    )
    expected = [16, 235, 81.481, 144.553, 40.966, 16 + 0.2 * 65.481 + 0.4 * 128.553 + 0.8 * 24.966]
    assert luma(rearrange(colours, "w c -> 1 c 1 w")).flatten() * 255 == pytest.approx(expected)


def test_luma_is_a_grey_picture_as_it_is() -> None:
    x, _ = pair(2, 1, 4, 4)
    assert luma(x) is x


def test_psnr_on_y_is_above_that_of_the_full_range_by_the_square_of_255_over_219() -> None:
    x, y = pair(1, 3, 32, 32)
    assert pytest.approx(1.32, abs=0.005) == FULL_RANGE
    assert psnr(y, x, space="y") == pytest.approx(psnr(grey(y), grey(x)) + FULL_RANGE, abs=1e-3)
    offset = torch.full((1, 3, 4, 4), 0.1, dtype=torch.float64)
    assert psnr(offset, 0 * offset, space="y") == pytest.approx(20 + FULL_RANGE)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_a_border_is_not_looked_at(measure: Callable[..., float]) -> None:
    x, y = pair(1, 3, 24, 28)
    assert measure(y, x, border=4) == measure(y[..., 4:-4, 4:-4], x[..., 4:-4, 4:-4])
    framed = x.clone()
    framed[..., :2, :] = framed[..., -2:, :] = framed[..., :2] = framed[..., -2:] = 0.0
    assert measure(framed, x, border=1) < measure(framed, x, border=2) == measure(x, x)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_pictures_of_different_shapes_are_an_error(measure: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match="different shapes"):
        measure(torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16))


@pytest.mark.parametrize("border", [-1, 8, 9])
def test_a_border_that_leaves_nothing_is_an_error(border: int) -> None:
    with pytest.raises(ValueError, match=f"border of {border} leaves nothing of 20x16"):
        psnr(torch.zeros(1, 3, 16, 20), torch.zeros(1, 3, 16, 20), border=border)


def test_ssim_of_a_picture_smaller_than_its_window_is_an_error() -> None:
    with pytest.raises(ValueError, match="11x11 pixels, not 20x10"):
        ssim(torch.zeros(1, 3, 10, 20), torch.zeros(1, 3, 10, 20))


@pytest.mark.parametrize("shape", [(1, 3, 176, 192), (1, 1, 240, 256)])
def test_ms_ssim_agrees_with_piq(shape: tuple[int, ...]) -> None:
    piq = pytest.importorskip("piq")
    x, y = pair(*shape)
    assert ms_ssim(y, x) == pytest.approx(float(piq.multi_scale_ssim(y.double(), x.double())), abs=1e-10)


def test_ms_ssim_of_odd_sizes_repeats_the_last_row_and_column_as_wangs_own_code_does() -> None:
    piq = pytest.importorskip("piq")
    x, y = pair(1, 3, 161, 177)  # both odd at every scale; piq repeats the first row and column instead
    x, y = x.double(), y.double()
    assert ms_ssim(y, x) == pytest.approx(float(piq.multi_scale_ssim(y.flip(-1, -2), x.flip(-1, -2))), abs=1e-10)
    assert ms_ssim(y, x) == pytest.approx(float(piq.multi_scale_ssim(y, x)), abs=2e-3)


def test_ms_ssim_of_two_constants_compares_their_means_at_the_coarsest_scale_only() -> None:
    one, other = (torch.full((1, 1, 161, 170), level, dtype=torch.float64) for level in (0.2, 0.6))
    expected = ((2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)) ** 0.1333
    assert ms_ssim(one, other) == pytest.approx(expected, abs=1e-9)
    assert ms_ssim(one, one) == 1


def test_ms_ssim_of_a_negative_is_nought() -> None:
    _, y = pair(1, 1, 176, 176)
    assert ms_ssim(1 - y, y) == 0


def test_ms_ssim_of_a_picture_too_small_for_five_scales_is_an_error() -> None:
    with pytest.raises(ValueError, match="161 pixels a side, not 200x160"):
        ms_ssim(torch.zeros(1, 3, 160, 200), torch.zeros(1, 3, 160, 200))
    with pytest.raises(ValueError, match="161 pixels a side, not 160x160"):
        ms_ssim(torch.zeros(1, 3, 162, 162), torch.zeros(1, 3, 162, 162), border=1)
