"""What a fit is measured by: what is known and shown, and nothing else."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from restoration_dip.fit.problem import Problem, choose_norm, take_neighbours
from torch import Generator, Tensor

from restoration.operators import Convolution, Masking, Resampling


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=Generator().manual_seed(seed))


def rng(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


X, Y = random(1, 3, 20, 30, seed=1), random(1, 3, 20, 30, seed=2)
MASK = (random(1, 1, 20, 30, seed=3) < 0.6).float()


def disturbed(x: Tensor, where: Tensor) -> Tensor:
    """Return `x` with other numbers in the pixels `where`, `1 1 h w`, is 1."""
    return x + where * random(*x.shape, seed=4)


def test_without_an_operator_the_loss_is_the_mean_squared_error() -> None:
    problem = Problem(Y, None, held_out=0.0, rng=rng())
    assert float(problem.loss(X)) == pytest.approx(float((X - Y).square().mean()))
    assert problem.held_out_error(X) is None


def test_the_error_may_be_absolute() -> None:
    problem = Problem(Y, None, held_out=0.3, rng=rng(), norm="l1")
    shown, hidden = (part.expand_as(X) == 1 for part in (problem.shown, problem.hidden))
    assert float(problem.loss(X)) == pytest.approx(float((X - Y)[shown].abs().mean()))
    assert problem.held_out_error(X) == pytest.approx(float((X - Y)[hidden].abs().mean()))


def test_wrong_pixels_are_told_from_other_noise_where_a_picture_is_denoised() -> None:
    x = torch.nn.functional.interpolate(random(1, 3, 4, 4), (64, 64), mode="bicubic").clamp(0.1, 0.9)
    lots = random(1, 3, 64, 64, seed=1)
    wrong = torch.where(lots < 0.1, (lots < 0.05).to(x), x)
    assert choose_norm(wrong, "denoise") == "l1"
    assert choose_norm(wrong, "inpaint") == "l2"
    assert choose_norm((x + 0.1 * torch.randn(x.shape, generator=rng())).clamp(0, 1), "denoise") == "l2"


@pytest.mark.parametrize("held_out", [0.0, 0.05])
def test_pixels_that_a_mask_hides_say_nothing(held_out: float) -> None:
    problem = Problem(MASK * Y, Masking(MASK), held_out=held_out, rng=rng())
    other = disturbed(X, 1 - MASK)
    assert torch.equal(problem.loss(X), problem.loss(other))
    assert problem.held_out_error(X) == problem.held_out_error(other)
    assert not ((problem.shown + problem.hidden) * (1 - MASK)).any()


def test_behind_a_mask_the_mean_is_that_of_the_known_pixels() -> None:
    problem = Problem(MASK * Y, Masking(MASK), held_out=0.0, rng=rng())
    known = MASK.expand_as(X) == 1
    assert float(problem.loss(X)) == pytest.approx(float((X - Y)[known].square().mean()))


@pytest.mark.parametrize("operator", [None, Masking(MASK)])
def test_held_out_pixels_are_measured_and_not_fitted(operator: Masking | None) -> None:
    problem = Problem(Y, operator, held_out=0.3, rng=rng())
    hidden = problem.hidden.expand_as(X) == 1
    assert torch.equal(problem.loss(X), problem.loss(disturbed(X, problem.hidden)))
    assert problem.held_out_error(X) == problem.held_out_error(disturbed(X, problem.shown))
    assert problem.held_out_error(X) == pytest.approx(float((X - Y)[hidden].square().mean()))
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(problem.loss(x), x)
    assert torch.equal(gradient != 0, problem.shown.expand_as(X) == 1)


def test_known_pixels_are_shown_or_held_out_a_twentieth_of_them_and_all_channels_together() -> None:
    y, mask = random(1, 3, 200, 300), (random(1, 1, 200, 300, seed=5) < 0.5).float()
    problem = Problem(y, Masking(mask), held_out=0.05, rng=rng())
    assert problem.hidden.shape == (1, 1, 200, 300)
    assert torch.equal(problem.hidden + problem.shown, mask)
    assert float(problem.hidden.sum() / mask.sum()) == pytest.approx(0.05, abs=0.005)


def test_the_generator_alone_decides_what_is_held_out() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (Problem(Y, None, held_out=0.1, rng=rng(seed)).hidden for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("operator", "size"),
    [
        (Resampling(Fraction(1, 4), (20, 30)), (5, 8)),
        (Convolution(random(1, 1, 5, 3) / random(1, 1, 5, 3).sum()), (20, 30)),
    ],
)
def test_through_an_operator_the_loss_is_that_of_what_was_measured(
    operator: Resampling | Convolution, size: tuple[int, int]
) -> None:
    measured = random(1, 3, *size)
    whole = Problem(measured, operator, held_out=0.0, rng=rng())
    assert float(whole.loss(X)) == pytest.approx(float((operator(X) - measured).square().mean()))
    parted = Problem(measured, operator, held_out=0.2, rng=rng())
    assert parted.hidden.shape == (1, 1, *size)
    error = parted.held_out_error(X)
    assert error is not None
    both = float(parted.loss(X)) * parted.fitted_values + error * parted.held_out_values
    assert both == pytest.approx(float((operator(X) - measured).square().sum()), rel=1e-5)


def test_a_perfect_answer_has_no_loss_and_no_error() -> None:
    operator = Resampling(Fraction(1, 2), (20, 30))
    problem = Problem(operator(X), operator, held_out=0.1, rng=rng())
    assert float(problem.loss(X)) == 0 and problem.held_out_error(X) == 0


def test_a_picture_of_which_nothing_is_known_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing of the picture is known"):
        Problem(Y, Masking(torch.zeros(1, 1, 20, 30)), held_out=0.0, rng=rng())


def test_of_few_pixels_one_is_held_out_and_the_others_are_shown() -> None:
    for seed in range(40):
        problem = Problem(random(1, 3, 1, 2), None, held_out=0.05, rng=rng(seed))
        assert (float(problem.hidden.sum()), float(problem.shown.sum())) == (1, 1), f"seed {seed}"


def test_a_single_known_pixel_is_shown() -> None:
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 2, 1] = 1
    for seed in range(40):
        problem = Problem(random(1, 3, 4, 4), Masking(mask), held_out=0.05, rng=rng(seed))
        assert torch.equal(problem.shown, mask), f"seed {seed}"
        assert problem.held_out_error(random(1, 3, 4, 4)) is None


def test_of_a_pixel_that_is_held_out_a_neighbour_is_seen() -> None:
    y = random(1, 3, 30, 40)
    problem = Problem(y, None, held_out=0.3, rng=rng())
    seen, known = problem.replace_held_out(y, rng(1))
    hidden = (problem.hidden > 0).expand_as(y)
    assert torch.equal(seen[~hidden], y[~hidden]) and known.all()
    assert not (seen == y)[hidden].any()
    around = torch.nn.functional.unfold(torch.nn.functional.pad(y, (1,) * 4, mode="reflect"), 3)
    around = around.unflatten(1, (3, 9)).unflatten(-1, (30, 40))
    assert (around == seen[:, :, None]).any(dim=2).all()


def test_what_a_mask_hides_and_wrong_pixels_are_not_seen() -> None:
    _, known = Problem(MASK * Y, Masking(MASK), held_out=0.0, rng=rng()).replace_held_out(MASK * Y, rng())
    assert torch.equal(known, MASK.expand_as(Y))
    wrong = Y.clamp(0.01, 0.99)
    wrong[0, 1, 2, 3] = 1.0
    _, known = Problem(wrong, None, held_out=0.0, rng=rng(), norm="l1").replace_held_out(wrong, rng())
    assert known[0, 1, 2, 3] == 0 and known.sum() == known.numel() - 1


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 2)])
def test_the_smallest_pictures_have_neighbours_too(size: tuple[int, int]) -> None:
    x = random(1, 2, *size)
    found = take_neighbours(x, rng())
    assert found.shape == x.shape and torch.isin(found, x).all()
