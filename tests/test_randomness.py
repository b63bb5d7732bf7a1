"""Numbers that depend on a key alone: what a row draws is the same in every batch."""

from __future__ import annotations

import pytest
import torch

from restoration.randomness import RowGenerators, keyed_generator


def drawn(rng: RowGenerators) -> list[torch.Tensor]:
    return [rng.uniform(), rng.normal(2, 5), rng.integers(3, 7), rng.uniform(1, 1, 1), rng.integers(0, 2, 4)]


def test_a_row_draws_the_same_whatever_rows_are_beside_it() -> None:
    whole = drawn(RowGenerators.keyed("noise", 7, 100, rows=range(5)))
    parts = [drawn(RowGenerators.keyed("noise", 7, 100, rows=rows)) for rows in (range(2), [2], [3, 4])]
    for one, *others in zip(whole, *parts, strict=True):
        assert torch.equal(one, torch.cat(others))
    assert [tuple(one.shape) for one in whole] == [(5,), (5, 2, 5), (5,), (5, 1, 1, 1), (5, 4)]


@pytest.mark.parametrize("key", [(0, 1, 2), (1, 0, 2), ("a", 1, 2), (0, 1, 3), (0, 12), ("0", 1, 2)])
def test_another_key_has_other_numbers(key: tuple[int | str, ...]) -> None:
    numbers = torch.randn(100, generator=keyed_generator(*key))
    assert torch.equal(numbers, torch.randn(100, generator=keyed_generator(*key)))
    for other in ((0, 1, 2), (0, 1, 4), ("a", 2, 1)):
        if other != key:
            assert not torch.equal(numbers, torch.randn(100, generator=keyed_generator(*other)))


def test_numbers_of_neighbours_have_nothing_in_common() -> None:
    first = torch.stack([torch.rand(2, generator=keyed_generator("patch", 0, step, 0)) for step in range(4000)])
    low, high = first.T
    assert abs(float(first.mean()) - 0.5) < 0.02
    assert abs(float(first.var()) - 1 / 12) < 0.004
    for one, other in ((low[1:], low[:-1]), (low, high), (high[2:], low[:-2])):
        assert abs(float(torch.corrcoef(torch.stack([one, other]))[0, 1])) < 0.05


def test_every_kind_of_number_has_its_range() -> None:
    rng = RowGenerators.keyed(0, rows=range(200))
    uniform, normal, whole = rng.uniform(50), rng.normal(50), rng.integers(3, 7, 50)
    assert 0 <= float(uniform.min()) < 0.01 and 0.99 < float(uniform.max()) < 1
    assert abs(float(normal.mean())) < 0.05 and abs(float(normal.std()) - 1) < 0.05
    assert set(whole.unique().tolist()) == {3, 4, 5, 6} and whole.dtype == torch.int64
    assert len(rng) == 200
