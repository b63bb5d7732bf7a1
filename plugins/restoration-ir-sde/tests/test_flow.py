"""Rectified flow: its loss, what is read from a network, and where its steps lead."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from restoration_ir_sde.flow import FlowMatching, RectifiedFlow
from restoration_ir_sde.states import known_state
from torch import Generator, Tensor
from torch.testing import assert_close

from restoration import RowGenerators
from restoration.sampling import ddim, first_state


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def test_the_loss_is_the_squared_error_of_the_velocity_whatever_is_predicted() -> None:
    x, y, path = numbers(2, 3, 4, 5), numbers(2, 3, 4, 5, seed=1), RectifiedFlow(max_sigma=25.5)
    at = known_state(path, x, y, torch.tensor([0.2, 0.7]), numbers(2, 3, 4, 5, seed=2))
    velocity = y + 0.1 * at.n - x
    assert_close(at.x_t, x + at.t[:, None, None, None] * velocity, rtol=0, atol=1e-6)
    wrong = numbers(2, 3, 4, 5, seed=3)
    clean = at.x_t - at.t[:, None, None, None] * wrong
    expected = (wrong - velocity).square().mean(dim=(1, 2, 3))
    predicted: dict[Literal["velocity", "clean"], Tensor] = {"velocity": wrong, "clean": clean}
    for what, answer in predicted.items():
        objective = FlowMatching(predicts=what)
        assert_close(objective.loss_at(lambda x_t, y, t, answer=answer: answer, at), expected, rtol=1e-5, atol=0)
        assert_close(objective.read(answer, at), clean)


def test_ddim_on_a_straight_line_is_eulers_method_for_the_flow() -> None:
    x, y, path = numbers(1, 3, 4, 5), numbers(1, 3, 4, 5, seed=1), RectifiedFlow()
    times = path.steps(5)

    def clean(x_t: Tensor, t: Tensor) -> Tensor:
        return x + 0.3 * x_t * t

    state = by_euler = first_state(path, y, lambda: numbers(1, 3, 4, 5, seed=2))
    for time, after in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        velocity = (by_euler - clean(by_euler, torch.tensor([time]))) / time
        by_euler = by_euler + (after - time) * velocity
    *_, (found, _) = ddim()(clean, path, state, y, times, lambda: numbers(1, 3, 4, 5))
    assert_close(found, by_euler, rtol=0, atol=1e-5)


def test_times_are_drawn_from_those_of_the_path() -> None:
    shown: list[float] = []

    def network(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        shown.extend(t.tolist())
        return x

    x = numbers(64, 3, 2, 2)
    FlowMatching().loss(network, RectifiedFlow(T=4), x, x, RowGenerators.keyed(rows=range(64)))
    assert set(shown) == {0.25, 0.5, 0.75, 1.0}


def test_what_cannot_be_predicted_is_an_error() -> None:
    with pytest.raises(ValueError, match="predicts must be velocity or clean"):
        FlowMatching(predicts="noise")  # type: ignore[arg-type]
