"""What networks are trained to predict: against the published loss and gradient, and against closed forms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from einops import rearrange, reduce
from restoration_ir_sde.objectives import (
    CleanMatching,
    EulerMatching,
    Matching,
    NoiseMatching,
    Norm,
    PosteriorMean,
    VelocityMatching,
)
from restoration_ir_sde.schedules import DenoisingSDE, MeanReverting
from restoration_ir_sde.states import (
    KnownState,
    State,
    curves,
    euler_mean,
    increments,
    known_state,
    optimal_mean,
    random_times,
)
from torch import Generator, Tensor
from torch.testing import assert_close

from restoration import Network, Objective, RowGenerators

Vectors = Callable[..., dict[str, Tensor]]
TIMES = torch.tensor([1, 2, 10, 50, 99, 100], dtype=torch.float64) / 100


def predicting(answer: Tensor) -> Network:
    """Return a network that predicts the same whatever it is shown."""
    return lambda x, y, t: answer


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def taught_by_euler(at: KnownState) -> Tensor:
    """Return what a network learns that makes Euler's step land on the exact mean: the noise and Euler's error."""
    schedule = at.schedule
    assert isinstance(schedule, MeanReverting)
    h, _, c = increments(schedule, at.t, at.x_t)
    return torch.sinh(h) / h * at.n + c * (1 + h - torch.exp(h)) / (2 * schedule.lambda_**2 * h) * (at.x_t - at.y)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_euler_matching_has_the_loss_and_the_gradient_of_the_published_code(vectors: Vectors, norm: Norm) -> None:
    published, schedule = vectors("losses"), MeanReverting(max_sigma=10)
    x, y, said = published["x0"], published["mu"], published["pred"].requires_grad_()
    t = rearrange(published["timesteps"], "b 1 1 1 -> b").double() / 100
    a, b, c = curves(schedule, t, x.double())
    n = (published["states"] - a * x - b * y) / c
    loss = EulerMatching(norm=norm).loss_at(predicting(said), known_state(schedule, x, y, t, n.float()))
    assert loss.shape == (4,)
    (slope,) = torch.autograd.grad(loss.mean(), said)
    assert_close(loss.mean(), published[f"{norm}.loss"], rtol=1e-5, atol=0)
    gradient = published[f"{norm}.grad_pred"]
    assert_close(slope, gradient, rtol=1e-5, atol=1e-5 * float(gradient.abs().max()))


def test_both_sides_of_the_published_loss_are_reproduced(vectors: Vectors) -> None:
    published, schedule = vectors("losses"), MeanReverting(max_sigma=10)
    x_t, y, t = published["states"], published["mu"], published["timesteps"].flatten().double() / 100
    at = State(schedule=schedule, x_t=x_t, y=y, t=t)
    assert_close(euler_mean(published["pred"], at), published["expectation"], rtol=1e-5, atol=1e-6)
    assert_close(optimal_mean(published["x0"], at), published["optimum"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("max_sigma", [10, 50])
def test_the_correction_turns_what_euler_matching_teaches_into_the_noise(max_sigma: int) -> None:
    schedule = MeanReverting(max_sigma=max_sigma)
    x, y, n = numbers(3, 6, 3, 8, 8)
    at = known_state(schedule, x, y, TIMES, n)
    taught = taught_by_euler(at)
    assert_close(EulerMatching().error(taught, at), torch.zeros_like(x))
    assert_close(EulerMatching().read(taught, at), x)
    assert_close(EulerMatching(corrected=False).read(n, at), x)
    wrong = (EulerMatching(corrected=False).read(taught, at) - x).abs().amax(dim=(1, 2, 3))
    assert float(wrong[-1]) > 0.1


def test_the_correction_holds_in_single_precision() -> None:
    schedule = MeanReverting()
    x, y, n = numbers(3, 6, 3, 8, 8)
    at = known_state(schedule, x, y, TIMES, n)
    single = State(schedule=schedule, x_t=at.x_t.float(), y=y.float(), t=TIMES)
    read = EulerMatching().read(taught_by_euler(at).float(), single)
    assert_close(read.double(), x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("objective", [EulerMatching(), EulerMatching(corrected=False)])
def test_euler_matching_refuses_a_path_that_does_not_revert(objective: EulerMatching) -> None:
    x = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ValueError, match="mean-reverting path, not DenoisingSDE"):
        objective.loss(predicting(x), DenoisingSDE(), x, x, RowGenerators.keyed(0, rows=range(1)))


@pytest.mark.parametrize("max_sigma", [10, 50])
def test_the_posterior_mean_weighs_errors_of_the_noise_by_its_share_in_the_step(max_sigma: int) -> None:
    schedule = MeanReverting(max_sigma=max_sigma)
    x, y, n, said = numbers(4, 6, 3, 8, 8)
    h, _, c = (one.flatten() for one in increments(schedule, TIMES, x))
    weight = 2 * schedule.lambda_**2 * torch.sinh(h) / c
    loss = PosteriorMean().loss_at(predicting(said), known_state(schedule, x, y, TIMES, n))
    assert_close(loss, weight * reduce((said - n).abs(), "b c h w -> b", "mean"))
    squared = PosteriorMean(norm="l2").loss_at(predicting(said), known_state(schedule, x, y, TIMES, n))
    assert_close(squared, weight.square() * reduce((said - n).square(), "b c h w -> b", "mean"))
    assert_close(
        PosteriorMean().loss_at(predicting(n), known_state(schedule, x, y, TIMES, n)), torch.zeros_like(weight)
    )


def test_the_posterior_mean_is_the_distance_of_two_optimal_steps() -> None:
    schedule = MeanReverting()
    x, y, n, said = numbers(4, 6, 3, 8, 8)
    at = known_state(schedule, x, y, TIMES, n)
    apart = optimal_mean(said, at) - optimal_mean(x, at)
    loss = PosteriorMean(predicts="clean").loss_at(predicting(said), at)
    assert_close(loss, reduce(apart.abs(), "b c h w -> b", "mean"))


def test_clean_matching_is_the_plain_error_of_the_image() -> None:
    x, y, n, said = numbers(4, 6, 3, 8, 8)
    loss = CleanMatching().loss_at(predicting(said), known_state(MeanReverting(), x, y, TIMES, n))
    assert_close(loss, reduce((said - x).abs(), "b c h w -> b", "mean"))
    squared = CleanMatching(norm="l2").loss_at(predicting(said), known_state(MeanReverting(), x, y, TIMES, n))
    assert_close(squared, reduce((said - x).square(), "b c h w -> b", "mean"))


def test_noise_matching_is_the_plain_error_of_the_noise() -> None:
    x, y, n, said = numbers(4, 6, 3, 8, 8)
    loss = NoiseMatching().loss_at(predicting(said), known_state(MeanReverting(), x, y, TIMES, n))
    assert_close(loss, reduce((said - n).abs(), "b c h w -> b", "mean"))


@pytest.mark.parametrize("objective", [NoiseMatching(), PosteriorMean()])
@pytest.mark.parametrize("schedule", [MeanReverting(), DenoisingSDE()])
def test_a_network_that_says_the_true_noise_gives_the_clean_image(objective: Matching, schedule: MeanReverting) -> None:
    x, y, n = numbers(3, 6, 3, 8, 8)
    x_t = known_state(schedule, x, y, TIMES, n).x_t
    assert_close(objective.clean(predicting(n), schedule, x_t, y, TIMES), x)


def test_a_network_is_shown_the_state_the_degraded_image_and_the_time() -> None:
    shown = []

    def network(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        shown.append((x, y, t))
        return x

    schedule = MeanReverting()
    x, y, n = numbers(3, 6, 3, 8, 8).float()
    CleanMatching().loss_at(network, known_state(schedule, x, y, TIMES, n))
    ((x_t, seen, t),) = shown
    assert_close(x_t, known_state(schedule, x, y, TIMES, n).x_t)
    assert seen is y
    assert torch.equal(t, TIMES.float())


def rows(seed: int = 5, number: int = 6) -> RowGenerators:
    return RowGenerators.keyed(seed, rows=range(number))


@pytest.mark.parametrize("objective", [CleanMatching(), NoiseMatching(), PosteriorMean(), EulerMatching()])
def test_a_loss_is_that_of_the_times_and_the_noise_it_draws(objective: Matching) -> None:
    assert isinstance(objective, Objective)
    schedule = MeanReverting()
    x, y = numbers(2, 6, 3, 8, 8)

    def network(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return x.tanh()

    loss = objective.loss(network, schedule, x, y, rows())
    rng = rows()
    t, n = random_times(schedule, rng), rng.normal(3, 8, 8).to(x)
    assert torch.equal(loss, objective.loss_at(network, known_state(schedule, x, y, t, n)))
    assert not torch.equal(loss, objective.loss(network, schedule, x, y, rows(6)))


@pytest.mark.parametrize("rectification", [0.5, 1.0])
def test_rectified_states_are_made_from_the_networks_own_first_estimate(rectification: float) -> None:
    schedule, objective, shown = MeanReverting(), CleanMatching(rectification=rectification), []
    x, y, own = numbers(3, 6, 3, 8, 8).float()
    gain = torch.ones(1, requires_grad=True)

    def network(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        shown.append((x, t))
        return torch.mul(gain, own)

    loss = objective.loss(network, schedule, x, y, rows())
    rng = rows()
    t, n, first = random_times(schedule, rng), rng.normal(3, 8, 8), rng.normal(3, 8, 8)
    rectified = rng.uniform() < rectification
    assert bool(rectified.any()) and bool(rectified.all()) is (rectification == 1)
    (start, start_time), (x_t, _) = shown
    c = schedule.at(torch.tensor(1.0))[2].float()
    assert_close(start, y + c * first)
    assert start_time.tolist() == [1]
    begin = torch.where(rearrange(rectified, "b -> b 1 1 1"), own, x)
    assert_close(x_t, known_state(schedule, begin, y, t, n).x_t)
    assert loss.requires_grad
    assert not x_t.requires_grad
    assert_close(loss, reduce((own - x).abs(), "b c h w -> b", "mean"))


@pytest.mark.parametrize("rectification", [0.0, 1.0])
@pytest.mark.parametrize("clipped", [0.5, 1.0])
def test_some_states_are_as_a_file_would_keep_them(rectification: float, clipped: float) -> None:
    schedule, shown = DenoisingSDE(), []
    x, y = numbers(2, 6, 3, 8, 8).float()

    def network(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        shown.append(x)
        return x

    for share in (clipped, 0.0):
        CleanMatching(rectification=rectification, clipped=share).loss(network, schedule, x, y, rows())
    cut, free = shown[len(shown) // 2 - 1], shown[-1]
    stored = (cut * 255 == (free.clamp(0, 1) * 255).round()).flatten(1).all(dim=1)
    assert 0 < int(stored.sum()) <= len(x) and bool(stored.all()) is (clipped == 1)
    assert torch.equal(cut[~stored], free[~stored])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_network_is_called_equally_often_whatever_is_drawn(share: float) -> None:
    calls = []
    for seed in range(8):
        called: list[int] = []

        def network(x: Tensor, y: Tensor, t: Tensor, called: list[int] = called) -> Tensor:
            called.append(len(x))
            return x

        x, y = numbers(2, 2, 3, 8, 8).float()
        CleanMatching(rectification=share).loss(network, MeanReverting(), x, y, rows(seed, 2))
        calls.append(called)
    assert all(one == calls[0] for one in calls), "processes that train together would wait for one another"


@pytest.mark.parametrize("name", ["rectification", "clipped"])
@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_probability_is_between_none_and_all(name: str, share: float) -> None:
    with pytest.raises(ValueError, match=name):
        CleanMatching(**{name: share})


def test_drawn_times_are_all_the_places_but_the_clean_one() -> None:
    times = random_times(MeanReverting(T=10), rows(0, 1000))
    assert sorted(set((times * 10).round().int().tolist())) == list(range(1, 11))
    assert_close(times * 10, (times * 10).round())


def test_the_velocity_is_the_noise_where_the_path_is_clean_and_the_image_where_it_is_noise() -> None:
    class Turning:
        """A path that turns from the image to the noise at constant variance: its velocity is its derivative."""

        def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            angle = t.double() * torch.pi / 2
            return angle.cos(), torch.zeros_like(angle), angle.sin()

        def steps(self, n: int) -> Tensor:
            return torch.linspace(1, 0, n + 1, dtype=torch.float64)

    x, y, n = numbers(3, 1, 5, 4), numbers(3, 1, 5, 4, seed=1), numbers(3, 1, 5, 4, seed=2)
    t, objective = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64), VelocityMatching(norm="l2")
    angle = rearrange(t, "b -> b 1 1 1") * torch.pi / 2
    velocity = angle.cos() * n - angle.sin() * x
    at = known_state(Turning(), x, y, t, n)
    assert_close(objective.loss_at(predicting(velocity), at), torch.zeros(3, dtype=torch.float64))
    assert_close(objective.error(torch.zeros_like(x), at)[[0, 2]], torch.stack([-n[0], x[2]]), atol=1e-12, rtol=0)
    assert_close(objective.clean(predicting(velocity), Turning(), at.x_t, y, t), x)
