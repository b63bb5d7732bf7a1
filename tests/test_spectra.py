"""Spectra of operators against matrices, and least squares by them and by conjugate gradients."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from restoration.interfaces import Operator
from restoration.operators import Convolution, Masking, Resampling
from restoration.spectra import Circular, Diagonal, Separable, solve, solve_in_spectrum, spectrum_of
from restoration.testing import generator, picture

SIZE = (12, 10)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return picture(*shape, seed=seed).double()


def means() -> Separable:
    rows, columns = (torch.kron(torch.eye(side // 2), torch.full((1, 2), 0.5)).double() for side in SIZE)
    return Separable(rows, columns)


OPERATORS = {
    "mask": Masking((drawn(1, 1, *SIZE) > 0.4).double()),
    "half": Resampling(Fraction(1, 2), SIZE),
    "third": Resampling(Fraction(1, 3), SIZE),
    "means": means(),
    "circular": Circular(drawn(1, 1, 5, 3), SIZE),
    "wide": Circular(drawn(1, 1, 15, 11), SIZE),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_a_spectrum_says_what_its_operator_does(name: str) -> None:
    operator, x = OPERATORS[name], drawn(1, 3, *SIZE, seed=1)
    spectrum = spectrum_of(operator, x)
    assert spectrum is not None
    assert_close(spectrum.read(operator(x)), spectrum.s * spectrum.analyse(x), check_dtype=False)
    assert_close(spectrum.synthesise(spectrum.s * spectrum.read(operator(x))), operator.adjoint(operator(x)))


@pytest.mark.parametrize("name", OPERATORS)
def test_coefficients_of_noise_have_unit_variance_and_make_the_same_image(name: str) -> None:
    n = torch.randn(1, 400, *SIZE, generator=generator(), dtype=torch.float64)
    spectrum = spectrum_of(OPERATORS[name], n)
    assert spectrum is not None
    coefficients = spectrum.analyse(n)
    assert abs(float(coefficients.abs().square().mean()) - 1) < 0.05
    assert_close(spectrum.analyse(spectrum.synthesise(coefficients)), coefficients)


@pytest.mark.parametrize("weight", [1e-3, 1.0])
@pytest.mark.parametrize("name", OPERATORS)
def test_both_ways_solve_the_normal_equations(name: str, weight: float) -> None:
    operator, x = OPERATORS[name], drawn(1, 2, *SIZE, seed=1)
    y = operator(drawn(1, 2, *SIZE, seed=2)) + 0.1
    spectrum = spectrum_of(operator, x)
    assert spectrum is not None
    for z in (solve_in_spectrum(spectrum, y, x, weight), solve(operator, y, x, weight, steps=400)):
        gradient = operator.adjoint(operator(z) - y) + weight * (z - x)
        assert float(gradient.abs().max()) < 2e-4 * float(operator.adjoint(y - operator(x)).norm())


def test_a_mirrored_blur_has_no_spectrum_and_is_solved_in_a_few_steps_by_that_of_a_circular_one() -> None:
    kernel = drawn(1, 1, 7, 5) ** 4
    blur, x = Convolution(kernel / kernel.sum()), drawn(1, 3, 40, 48, seed=1)
    assert spectrum_of(blur, x) is None
    y = blur(drawn(1, 3, 40, 48, seed=2))

    class Disguised:
        """The same blur, which nobody knows for one."""

        __call__, adjoint = staticmethod(blur.__call__), staticmethod(blur.adjoint)

    def error(operator: Operator, steps: int) -> float:
        z = solve(operator, y, x, 0.01, steps=steps)
        return float((blur.adjoint(blur(z) - y) + 0.01 * (z - x)).norm())

    assert error(blur, 30) < 1e-3 * float(blur.adjoint(y - blur(x)).norm())
    assert error(blur, 5) < error(Disguised(), 10)


def test_an_operator_that_nobody_knows_has_no_spectrum() -> None:
    class Halving:
        def __call__(self, x: Tensor) -> Tensor:
            return x / 2

        adjoint = __call__

    x = drawn(1, 3, *SIZE)
    assert spectrum_of(Halving(), x) is None
    assert_close(solve(Halving(), x / 2, x * 0, 1e-6), x, atol=1e-4, rtol=1e-4)


def test_a_resampling_in_single_precision_stays_in_it() -> None:
    x = drawn(1, 3, *SIZE).float()
    spectrum = spectrum_of(Resampling(Fraction(1, 2), SIZE), x)
    assert isinstance(spectrum, Separable)
    assert spectrum.analyse(x).dtype == spectrum.s.dtype == torch.float32
    assert isinstance(spectrum_of(Masking(torch.ones(1, 1, 1, 1)), x), Diagonal)
