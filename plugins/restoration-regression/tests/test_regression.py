"""Direct regression: what the network is shown, what its errors cost, and what it gains."""

from __future__ import annotations

import torch
from restoration_regression.regression import DirectMatching, Regression
from torch import Generator, Tensor
from torch.testing import assert_close

from restoration import Objective, Observation, Part, Recipe, Restorer, RowGenerators, psnr
from restoration.recipe import build_parts, build_restorer, build_task


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def rows(x: Tensor) -> RowGenerators:
    return RowGenerators.keyed(0, rows=range(len(x)))


class Adding:
    """A network that adds a number to the degraded picture, and keeps what it was shown."""

    def __init__(self, number: float | Tensor) -> None:
        self.number = number
        self.shown: list[tuple[Tensor, Tensor, Tensor]] = []

    def __call__(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Return `y` and the number, `b c h w`, in double precision."""
        self.shown.append((x, y, t))
        return (y + self.number).double()


def test_the_loss_is_the_mean_error_of_each_picture() -> None:
    x, y = torch.rand(2, 3, 1, 4, 4, generator=seeded())
    network = Adding(torch.tensor([0.0, 0.1, -2.0]).reshape(3, 1, 1, 1))
    objective = DirectMatching(norm="l1")
    assert isinstance(objective, Objective)
    assert_close(objective.loss(network, None, y, y, rows(y)), torch.tensor([0.0, 0.1, 2.0]))
    assert_close(DirectMatching(norm="l2").loss(network, None, y, y, rows(y)), torch.tensor([0.0, 0.01, 4.0]))
    decibels = DirectMatching(norm="psnr").loss(network, None, y, y, rows(y))
    assert_close(decibels, torch.tensor([-80.0, -20.0, 6.0206]), atol=1e-3, rtol=0)
    error = (y + network.number - x).abs().mean(dim=(1, 2, 3))
    assert_close(objective.loss(network, None, x, y, rows(x)), error)


def test_the_network_is_shown_the_degraded_picture_twice_and_the_end_of_the_path() -> None:
    x, y, x_t = torch.rand(3, 2, 1, 4, 4, generator=seeded())
    network = Adding(0)
    DirectMatching().loss(network, None, x, y, rows(x))
    answer = DirectMatching().clean(network, None, x_t, y, torch.tensor([0.3]))
    assert torch.equal(answer, y)
    assert answer.dtype == y.dtype
    assert all(state is y and degraded is y for state, degraded, _ in network.shown)
    assert [t.tolist() for _, _, t in network.shown] == [[1, 1], [1]]


def test_a_loss_draws_no_noise() -> None:
    y, rng = torch.rand(1, 1, 4, 4), seeded()
    before = rng.get_state()
    DirectMatching().loss(Adding(1), None, y, y, rng)
    assert torch.equal(rng.get_state(), before)


def test_there_is_one_guess_whatever_the_seed() -> None:
    y, restorer = torch.rand(1, 3, 5, 7), Regression(network=Adding(0.5), objective=DirectMatching())
    assert isinstance(restorer, Restorer)
    (one,), (other,) = (restorer(Observation(y=y), seeded(seed)) for seed in (1, 2))
    assert torch.equal(one, other)
    assert_close(one, y + 0.5)


def picture() -> Tensor:
    """Return a small picture of smooth shades and a few edges."""
    rows, columns = torch.linspace(0, 1, 48)[:, None], torch.linspace(0, 1, 48)
    shades = torch.stack([0.5 + 0.3 * torch.sin(4 * rows + k * columns) for k in (1, 3, 5)])
    return torch.where((rows - 0.5) ** 2 + (columns - 0.4) ** 2 < 0.06, 0.8 - 0.4 * shades, shades)[None]


def test_a_small_network_learns_to_take_away_noise() -> None:
    recipe = Recipe(
        method=Part("regression"),
        task=Part("denoise", {"sigma": [50, 50]}),
        network=Part("nafnet-compact", {"width": 8, "encoder": [1], "middle": 1, "decoder": [1]}),
        objective=Part("regression", {"norm": "l1"}),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = build_parts(recipe)
    network, task, rng, x = parts.network, build_task(recipe), seeded(), picture()
    assert network is not None
    assert isinstance(parts.objective, DirectMatching)
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
    for _ in range(60):
        optimizer.zero_grad()
        torch.autograd.backward(parts.objective.loss(network, None, x, task(x, rng), rows(x)).mean())
        optimizer.step()
    y = task(x, seeded(99))
    with torch.inference_mode():
        (answer,) = build_restorer(recipe, parts)(Observation(y=y), rng)
    assert psnr(answer, x) > psnr(y, x) + 2
