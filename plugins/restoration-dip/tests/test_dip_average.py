"""The running average of the answers, against sums written out."""

from __future__ import annotations

from math import comb

import pytest
import torch
from restoration_dip.fit.average import RunningAverage
from torch import Tensor


def answers(number: int) -> Tensor:
    """Return random answers, `number 1 3 4 5`, in float64."""
    return torch.rand(number, 1, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def average_of(given: Tensor, **options: float) -> Tensor:
    average = RunningAverage(**options)
    for answer in given:
        average.update(answer)
    assert average.value is not None
    return average.value


def test_the_first_answers_take_the_place_of_the_average() -> None:
    average = RunningAverage()
    for answer in answers(5):
        assert torch.equal(average.update(answer), answer)


@pytest.mark.parametrize("last", [6, 20, 100, 500])
def test_while_the_window_grows_the_weights_are_quotients_of_binomials(last: int) -> None:
    weights = [5 / step * comb(step, 5) / comb(last, 5) for step in range(1, last + 1)]
    assert sum(weights) == pytest.approx(1)
    assert weights[5] < 0.1 or last < 20, "the first answers are forgotten"
    given = answers(last)
    expected = torch.tensordot(torch.tensor(weights, dtype=torch.float64), given, dims=1)
    torch.testing.assert_close(average_of(given), expected)


def test_later_it_is_the_average_of_the_published_code() -> None:
    given = answers(700)
    expected = average_of(given[:500])
    for answer in given[500:]:
        expected = 0.99 * expected + 0.01 * answer
    torch.testing.assert_close(average_of(given), expected)


def test_without_a_ramp_it_is_the_published_one_from_the_beginning() -> None:
    given = answers(50)
    expected = given[0]
    for answer in given[1:]:
        expected = 0.9 * expected + 0.1 * answer
    torch.testing.assert_close(average_of(given, decay=0.9, ramp=0), expected)


def test_without_decay_it_is_the_last_answer() -> None:
    given = answers(20)
    assert torch.equal(average_of(given, decay=0), given[-1])


def test_no_answer_is_written_into() -> None:
    given = answers(20)
    before = given.clone()
    average_of(given)
    assert torch.equal(given, before)


@pytest.mark.parametrize("options", [{"decay": 1.0}, {"decay": -0.1}, {"ramp": -1.0}])
def test_a_decay_of_one_or_a_negative_ramp_is_an_error(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"decay must be in \[0, 1\) and ramp at least 0"):
        RunningAverage(**options)
