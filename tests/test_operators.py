"""Linear degradations against closed forms, SciPy, and what MATLAB made of known pictures."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import signal
from torch import Generator, Tensor

from restoration.images import read
from restoration.interfaces import Observation, Operator
from restoration.operators import Convolution, Masking, Resampling, agreeing, mirrored, project

SIZES = ((1, 1), (7, 5), (2, 9))
FACTORS: tuple[Fraction | int, ...] = (
    Fraction(1, 2),
    Fraction(1, 3),
    Fraction(1, 4),
    Fraction(2, 3),
    1,
    Fraction(7, 5),
    2,
    3,
)
SET5 = Path(__file__).parents[2] / "shared" / "data" / "eval" / "sr" / "Set5"


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def impulse(*shape: int, at: tuple[int, int]) -> Tensor:
    x = torch.zeros(1, 1, *shape, dtype=torch.float64)
    x[..., at[0], at[1]] = 1
    return x


def dense(apply: Callable[[Tensor], Tensor], height: int, width: int) -> Tensor:
    """Return the matrix of a linear map of pictures of one channel, a column for each pixel."""
    columns = [apply(impulse(height, width, at=at)).flatten() for at in product(range(height), range(width))]
    return torch.stack(columns, dim=1)


def resized(factor: Fraction | int) -> Callable[[int, int], Operator]:
    return lambda height, width: Resampling(factor, (height, width))


OPERATORS: dict[str, Callable[[int, int], Operator]] = {
    "mask": lambda h, w: Masking((noise(1, 1, h, w) > 0).float()),
    "small kernel": lambda h, w: Convolution(noise(1, 1, 3, 5)),
    "kernel larger than the picture": lambda h, w: Convolution(noise(1, 1, 21, 17)),
    **{f"resized by {factor}": resized(factor) for factor in FACTORS},
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", OPERATORS)
def test_the_adjoint_is_the_transposed_matrix(name: str, size: tuple[int, int]) -> None:
    operator = OPERATORS[name](*size)
    there = dense(operator, *size)
    out = operator(torch.zeros(1, 1, *size)).shape[-2:]
    assert torch.allclose(dense(operator.adjoint, *out), there.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", OPERATORS)
def test_channels_and_pictures_of_a_batch_do_not_mix_and_keep_their_type(name: str) -> None:
    operator = OPERATORS[name](7, 5)
    x = noise(2, 3, 7, 5)
    y = operator(x)
    for one, channel in product(range(2), range(3)):
        alone = operator(x[one : one + 1, channel : channel + 1])
        assert torch.allclose(y[one : one + 1, channel : channel + 1], alone, rtol=0, atol=1e-12)
    assert y.dtype == operator.adjoint(y).dtype == torch.float64
    assert operator(x.float()).dtype == operator.adjoint(y.float()).dtype == torch.float32
    assert torch.allclose(operator(x.float()).double(), y, atol=1e-4)


@pytest.mark.parametrize("name", OPERATORS)
def test_the_gradient_of_an_operator_is_its_adjoint(name: str) -> None:
    operator, x = OPERATORS[name](6, 7), noise(1, 2, 6, 7).requires_grad_()
    y = operator(x)
    v = noise(*y.shape, seed=1)
    (gradient,) = torch.autograd.grad((y * v).sum(), x)
    assert torch.allclose(gradient, operator.adjoint(v), rtol=0, atol=1e-12)


def test_gradients_go_through_a_resampling_that_was_first_used_where_there_are_none() -> None:
    with torch.inference_mode():
        Resampling(Fraction(2, 5), (11, 13))(torch.zeros(1, 1, 11, 13))
    x = noise(1, 1, 11, 13).requires_grad_()
    (gradient,) = torch.autograd.grad(Resampling(Fraction(2, 5), (11, 13))(x).sum(), x)
    assert float(gradient.sum()) == pytest.approx(5 * 6)


def test_a_mask_keeps_what_is_known_and_takes_the_rest_to_zero() -> None:
    x = noise(2, 3, 7, 5)
    mask = (noise(2, 1, 7, 5, seed=1) > 0).float()
    y = Masking(mask)(x)
    known = mask.expand_as(x) == 1
    assert torch.equal(y[known], x[known])
    assert not y[~known].any()
    assert torch.equal(Masking(mask)(y), y)


def test_a_row_with_a_border_is_read_from_its_mirror_images() -> None:
    assert mirrored(3, 0).tolist() == [0, 1, 2]
    assert mirrored(3, 4).tolist() == [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]
    assert mirrored(1, 2).tolist() == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("size", [*SIZES, (18, 13)])
@pytest.mark.parametrize("sides", [(1, 1), (3, 3), (5, 1), (9, 3), (21, 17)])
def test_a_convolution_is_that_of_scipy_with_mirrored_edges(size: tuple[int, int], sides: tuple[int, int]) -> None:
    x, kernel = noise(1, 1, *size), noise(1, 1, *sides, seed=1)
    wide = np.pad(x[0, 0].numpy(), [(side // 2, side // 2) for side in sides], mode="symmetric")
    expected = signal.convolve2d(wide, kernel[0, 0].numpy(), mode="valid")
    assert torch.allclose(Convolution(kernel)(x)[0, 0], torch.from_numpy(expected), rtol=0, atol=1e-12)


def test_a_blurred_point_is_a_picture_of_the_kernel_the_right_way_round() -> None:
    kernel = noise(1, 1, 5, 3)
    y = Convolution(kernel)(impulse(15, 12, at=(7, 6)))
    assert torch.allclose(y[..., 5:10, 5:8], kernel, atol=1e-12)
    assert float(y.abs().sum()) == pytest.approx(float(kernel.abs().sum()))


@pytest.mark.parametrize("size", SIZES)
def test_a_point_as_kernel_changes_nothing_and_a_flat_picture_is_scaled_by_the_sum(size: tuple[int, int]) -> None:
    x, kernel = noise(2, 3, *size), noise(1, 1, 3, 9)
    assert torch.equal(Convolution(impulse(5, 3, at=(2, 1)))(x), x)
    flat = Convolution(kernel)(torch.full((1, 1, *size), 0.4, dtype=torch.float64))
    assert torch.allclose(flat, 0.4 * kernel.sum(), rtol=0, atol=1e-12)


def test_each_picture_of_a_batch_may_have_its_own_kernel() -> None:
    x, kernels = noise(2, 3, 8, 9), noise(2, 1, 3, 5, seed=1)
    y = Convolution(kernels)(x)
    for one in range(2):
        assert torch.allclose(y[one : one + 1], Convolution(kernels[one : one + 1])(x[one : one + 1]))


@pytest.mark.parametrize("shape", [(3, 3), (1, 3, 3), (1, 3, 3, 3), (1, 1, 4, 3), (1, 1, 3, 2)])
def test_a_kernel_without_a_middle_or_with_channels_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="odd sides"):
        Convolution(torch.ones(shape))


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("size", SIZES)
def test_a_flat_picture_stays_flat_and_has_the_size_rounded_up(factor: Fraction | int, size: tuple[int, int]) -> None:
    y = Resampling(factor, size)(torch.full((1, 3, *size), 0.3, dtype=torch.float64))
    assert y.shape[-2:] == tuple(-(-side * Fraction(factor) // 1) for side in size)
    assert torch.allclose(y, torch.tensor(0.3, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_resizing_by_one_changes_nothing(size: tuple[int, int]) -> None:
    x = noise(1, 3, *size)
    assert torch.allclose(Resampling(1, size)(x), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("factor", [factor for factor in FACTORS if factor >= 1 or factor.numerator == 1])
def test_a_ramp_stays_a_ramp_away_from_the_edges(factor: Fraction | int) -> None:
    x = torch.arange(60, dtype=torch.float64).expand(1, 1, 3, 60)
    y = Resampling(factor, (3, 60))(x)[0, 0, 0]
    expected = (torch.arange(len(y), dtype=torch.float64) + 0.5) / float(factor) - 0.5
    inner = slice(len(y) // 4, -(len(y) // 4))
    assert torch.allclose(y[inner], expected[inner], rtol=0, atol=1e-12)


def test_a_parabola_is_enlarged_exactly_as_keys_promises() -> None:
    x = torch.arange(20, dtype=torch.float64).square().expand(1, 1, 3, 20)
    y = Resampling(3, (3, 20))(x)[0, 0, 0]
    expected = ((torch.arange(60, dtype=torch.float64) + 0.5) / 3 - 0.5).square()
    assert torch.allclose(y[9:-9], expected[9:-9], rtol=0, atol=1e-10)


def test_an_impulse_halved_has_the_weights_reckoned_by_hand() -> None:
    # a pixel of the small picture lies between two of the large one, at 0.25, 0.75, 1.25, 1.75 of the widened kernel
    weights = [0.8671875 / 2, 0.2265625 / 2, -0.0703125 / 2, -0.0234375 / 2]
    row = Resampling(Fraction(1, 2), (1, 20))(impulse(1, 20, at=(0, 8)))[0, 0, 0]
    expected = torch.zeros(10, dtype=torch.float64)
    expected[[4, 3, 5, 2]] = torch.tensor(weights, dtype=torch.float64)
    assert torch.allclose(row, expected, rtol=0, atol=1e-15)
    corner = Resampling(Fraction(1, 2), (1, 20))(impulse(1, 20, at=(0, 0)))[0, 0, 0]
    assert float(corner[0]) == pytest.approx(weights[0] + weights[1], abs=1e-15)
    assert float(corner[1]) == pytest.approx(weights[2] + weights[3], abs=1e-15)


def test_eight_bits_are_rounded_halves_up_and_clipped() -> None:
    side = torch.arange(40.0)
    slope = (side[:, None] + side)[None, None] / 255
    y = Resampling(Fraction(1, 2), (40, 40)).rounded(slope)[0, 0] * 255
    half = torch.arange(20.0)  # the rows come to 2 i + 0.5 + j, rounded up; then the columns to 2 i + 1 + 2 j + 0.5
    expected = 2 * half[:, None] + 2 * half + 2
    assert torch.allclose(y[2:-2, 2:-2], expected[2:-2, 2:-2], rtol=0, atol=1e-4)
    steep = (torch.arange(40) % 8 < 4).float().expand(1, 1, 4, 40)
    assert float(Resampling(Fraction(1, 2), (4, 40))(steep).max()) > 1.01
    small = Resampling(Fraction(1, 2), (4, 40)).rounded(steep)
    assert float(small.min()) == 0
    assert float(small.max()) == 1
    assert small.dtype == torch.float32


def test_a_factor_that_is_not_one_is_an_error() -> None:
    for factor in (0, -2):
        with pytest.raises(ValueError, match="more than 0"):
            Resampling(factor, (8, 8))


@pytest.mark.skipif(not SET5.is_dir(), reason=f"the pictures of Set5 that MATLAB made smaller are not in {SET5}")
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_pixel_of_the_small_pictures_of_set5_is_matlabs(scale: int) -> None:
    paths = sorted((SET5 / "LR_bicubic" / f"X{scale}").glob("*.png"))
    assert len(paths) == 5
    for path in paths:
        large = read(SET5 / "HR" / path.name.replace(f"x{scale}.png", ".png")).pixels
        height, width = (side // scale * scale for side in large.shape[-2:])
        small = Resampling(Fraction(1, scale), (height, width)).rounded(large[..., :height, :width])
        assert torch.equal((small * 255).round(), (read(path).pixels * 255).round()), path.name


PROJECTED = {
    "smaller": Resampling(Fraction(1, 4), (32, 24)),
    "mask": Masking((noise(1, 1, 32, 24, seed=7) > 0).double()),
    "blur": Convolution(torch.tensor([[[[0.0, 0.05, 0.05], [0.05, 0.8, 0.05], [0.0, 0.0, 0.0]]]], dtype=torch.float64)),
}


@pytest.mark.parametrize("name", PROJECTED)
def test_a_projection_is_the_nearest_picture_of_which_the_operator_makes_what_was_measured(name: str) -> None:
    operator: Operator = PROJECTED[name]
    x, other = noise(2, 3, 32, 24), noise(2, 3, 32, 24, seed=1)
    measured = operator(other)
    near = project(x, operator, measured, iterations=200, tolerance=1e-7)
    assert torch.allclose(operator(near), measured, atol=1e-5)
    assert torch.allclose(project(near, operator, measured, iterations=200, tolerance=1e-7), near, atol=1e-5)
    # nearest: the way there is orthogonal to what the operator does not see, as is all that its adjoint makes
    unseen = other - project(torch.zeros_like(other), operator, measured, iterations=400, tolerance=1e-9)
    assert torch.allclose(operator(unseen), torch.zeros_like(measured), atol=1e-4)
    assert float(((near - x) * unseen).sum(dim=(1, 2, 3)).abs().max()) < 1e-3 * float((near - x).square().sum())


def test_the_projection_on_what_a_mask_shows_is_exact() -> None:
    operator = PROJECTED["mask"]
    x, measured = noise(1, 3, 32, 24), operator(noise(1, 3, 32, 24, seed=1))
    assert torch.allclose(
        project(x, operator, measured, tolerance=0), torch.where(operator.mask == 1, measured, x), atol=1e-12
    )  # type: ignore[attr-defined]


def test_pictures_that_agree_stay_in_range() -> None:
    down = Resampling(Fraction(1, 2), (16, 16))
    clean = torch.rand(1, 3, 16, 16, generator=Generator().manual_seed(0))
    clean[..., :8, :] = 1
    seen = Observation(y=clean, operator=down, measured=down(clean).clamp(0, 1))
    assert seen.measured is not None
    x = agreeing(0.9 * clean + 0.2, seen)
    assert float(x.min()) >= 0 and float(x.max()) <= 1
    assert float((down(x) - seen.measured).abs().mean()) < 0.05 * float(
        (down(0.9 * clean + 0.2) - seen.measured).abs().mean()
    )
    assert torch.equal(agreeing(clean, Observation(y=clean)), clean)
