"""Intervals and paired tests against closed forms, tables and enumeration."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Generator

from restoration.scoring.statistics import bootstrap_interval, mean, paired_test, sign_flip_p


def drawn(number: int, seed: int = 0) -> list[float]:
    values: list[float] = torch.randn(number, generator=Generator().manual_seed(seed), dtype=torch.float64).tolist()
    return values


def test_an_interval_of_many_values_is_that_of_the_normal_distribution() -> None:
    values = drawn(400)
    low, high = bootstrap_interval(values)
    half = 1.96 * float(torch.tensor(values).std()) / math.sqrt(400)
    assert (low, high) == pytest.approx((mean(values) - half, mean(values) + half), abs=0.06 * half)


@pytest.mark.parametrize(("number", "expected"), [(5, 0.83), (20, 0.93), (50, 0.94)])
def test_intervals_hold_the_true_mean_as_often_as_their_docstring_says(number: int, expected: float) -> None:
    held = 0
    for seed in range(400):
        low, high = bootstrap_interval(drawn(number, seed), resamples=1000, seed=seed)
        held += low <= 0 <= high
    assert held / 400 == pytest.approx(expected, abs=3 * math.sqrt(expected * (1 - expected) / 400))


def test_an_interval_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    values = drawn(12)
    assert bootstrap_interval(values, seed=3) == bootstrap_interval(values, seed=3)
    assert bootstrap_interval(values, seed=3) != bootstrap_interval(values, seed=4)


def test_all_resamples_of_two_values_are_known() -> None:
    assert bootstrap_interval([1.0, 3.0]) == (1.0, 3.0)
    assert bootstrap_interval([1.0, 3.0], level=0.4) == (2.0, 2.0), "the middle half of the resamples has one of each"


def test_a_narrower_level_gives_a_narrower_interval() -> None:
    values = drawn(30)
    wide, narrow = bootstrap_interval(values), bootstrap_interval(values, level=0.5)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan]])
def test_there_is_no_interval_of_less_than_two_values(values: list[float]) -> None:
    assert all(map(math.isnan, bootstrap_interval(values)))


def test_missing_values_are_left_out_and_infinite_ones_are_not() -> None:
    assert mean([1.0, math.nan, 2.0]) == 1.5
    assert math.isnan(mean([math.nan]))
    assert bootstrap_interval([1.0, math.nan, 3.0]) == bootstrap_interval([1.0, 3.0])
    low, high = bootstrap_interval([30.0, 31.0, 32.0, 33.0, math.inf])
    assert low >= 30
    assert high == math.inf


@pytest.mark.parametrize("number", range(1, 11))
def test_few_signs_are_all_tried(number: int) -> None:
    values = [round(value, 1) for value in drawn(number, number)]  # rounded: ties
    sums = [
        sum(s * v for s, v in zip(signs, values, strict=True)) for signs in itertools.product((1, -1), repeat=number)
    ]
    expected = sum(abs(one) >= abs(sum(values)) - 1e-9 for one in sums) / len(sums)
    assert sign_flip_p(values) == expected


@pytest.mark.parametrize(
    ("number", "statistic", "table"),
    [
        (6, 0, 0.0313),
        (7, 2, 0.0469),
        (8, 3, 0.0391),
        (10, 8, 0.0488),
        (10, 9, 0.0645),
        (12, 13, 0.0425),
        (20, 52, 0.0484),
    ],
)
def test_of_signed_ranks_it_is_wilcoxons_test_as_tables_have_it(number: int, statistic: int, table: float) -> None:
    ranks, left = [float(rank) for rank in range(1, number + 1)], statistic
    for place in reversed(range(number)):  # negative ranks with the sum that the table asks for
        if ranks[place] <= left:
            left -= place + 1
            ranks[place] = -ranks[place]
    assert left == 0
    assert sign_flip_p(ranks) == pytest.approx(table, abs=6e-5)


def test_of_many_pairs_signs_are_drawn_and_agree_with_the_normal_distribution() -> None:
    values = [value + 0.2 for value in drawn(100)]
    z = abs(sum(values)) / math.sqrt(sum(value * value for value in values))
    expected = math.erfc(z / math.sqrt(2))
    assert 0.01 < expected < 0.2
    assert sign_flip_p(values) == pytest.approx(expected, abs=0.01)
    assert sign_flip_p(values, seed=1) == sign_flip_p(values, seed=1)


def test_differences_without_a_direction_are_significant_as_often_as_the_level_says() -> None:
    found = sum(sign_flip_p(drawn(8, seed)) <= 0.05 for seed in range(600))
    assert found / 600 == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 600))


def test_a_constant_gain_is_its_mean_and_its_interval_and_as_rare_as_can_be() -> None:
    first = drawn(25)
    test = paired_test(first, [value + 0.5 for value in first])
    assert (test.difference, test.low, test.high) == pytest.approx((0.5, 0.5, 0.5))
    assert test.p == pytest.approx(1 / 20_000)
    assert test.pairs == 25


def test_pairs_are_compared_one_by_one_and_the_order_only_changes_the_sign() -> None:
    first = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    second = [10.2, 20.1, 30.3, 40.1, 50.2, 60.4]
    there, back = paired_test(first, second), paired_test(second, first)
    assert there.difference == pytest.approx(1.3 / 6) == pytest.approx(-back.difference)
    assert there.p == back.p == 2 / 64
    assert 0 < there.low < there.difference < there.high < 0.4


def test_equal_methods_do_not_differ() -> None:
    test = paired_test([1.0, math.inf, 3.0], [1.0, math.inf, 3.0])
    assert (test.difference, test.low, test.high, test.p) == (0, 0, 0, 1)


def test_missing_pairs_are_left_out_and_an_infinite_difference_is_not_tested() -> None:
    test = paired_test([1.0, math.nan, 2.0, 3.0], [2.0, 5.0, math.nan, 4.0])
    assert (test.pairs, test.difference) == (2, 1)
    infinite = paired_test([1.0, 2.0], [1.5, math.inf])
    assert infinite.difference == math.inf
    assert math.isnan(infinite.p) and math.isnan(infinite.low)


def test_one_pair_tells_nothing() -> None:
    test = paired_test([1.0], [2.0])
    assert test.p == 1
    assert math.isnan(test.low)


def test_unpaired_values_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired_test([1.0, 2.0], [1.0])
