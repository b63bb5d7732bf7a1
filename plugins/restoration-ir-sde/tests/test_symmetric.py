"""Networks that see pictures in [-1, 1]: what they are shown, and what is read from their answers."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from restoration_ir_sde.objectives import NoiseMatching
from restoration_ir_sde.schedules import MeanReverting
from restoration_ir_sde.states import curves
from restoration_ir_sde.symmetric import Doubled, SymmetricMatching
from torch import Generator, Tensor
from torch.testing import assert_close

from restoration import RowGenerators


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("predicts", ["noise", "clean", "velocity"])
def test_a_network_that_is_right_about_its_own_pictures_gives_the_clean_image(
    predicts: Literal["noise", "clean", "velocity"],
) -> None:
    x, y, n, t = numbers(2, 3, 4, 5), numbers(2, 3, 4, 5, seed=1), numbers(2, 3, 4, 5, seed=2), torch.tensor([0.2, 0.7])
    path = MeanReverting(max_sigma=25.0)
    a, b, c = curves(path, t, x)
    shown = []

    def network(x_t: Tensor, y_seen: Tensor, t: Tensor) -> Tensor:
        shown.append((x_t, y_seen))
        wide = 2 * x - 1
        return {"noise": n, "clean": wide, "velocity": a * n - 2 * c * wide}[predicts]

    if predicts == "velocity":  # which needs a path that keeps the variance of what it is about
        c = (1 - a.square()).sqrt() / 2
        path.at = lambda t: (a.flatten(), b.flatten(), c.flatten())  # type: ignore[method-assign]
    answer = SymmetricMatching(predicts=predicts).clean(network, path, a * x + b * y + c * n, y, t)
    assert_close(answer, x)
    assert_close(shown[0][0], a * (2 * x - 1) + b * (2 * y - 1) + 2 * c * n)
    assert_close(shown[0][1], 2 * y - 1)


def test_the_loss_is_that_of_pictures_in_its_range() -> None:
    x, y, path = numbers(2, 3, 4, 5), numbers(2, 3, 4, 5, seed=1), MeanReverting()
    found, expected = (
        objective.loss(lambda x_t, y, t: x_t, schedule, *pictures, RowGenerators.keyed("test", 0, rows=range(2)))
        for objective, schedule, pictures in (
            (SymmetricMatching(norm="l1"), path, (x, y)),
            (NoiseMatching(norm="l1"), Doubled(path), (2 * x - 1, 2 * y - 1)),
        )
    )
    assert torch.equal(found, expected)


def test_what_it_cannot_predict_is_refused() -> None:
    with pytest.raises(ValueError, match="predicts must be noise, clean or velocity, not 'score'"):
        SymmetricMatching(predicts="score")  # type: ignore[arg-type]
