"""What networks are trained to say: against the published loss and gradient, and against closed forms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from einops import rearrange, reduce
from restoration_ir_sde.objectives import (
    CleanMatching,
    EulerMatching,
    NoiseMatching,
    Norm,
    PosteriorMean,
    curves,
    euler_mean,
    increments,
    optimal_mean,
    random_times,
    state,
)
from restoration_ir_sde.schedules import DenoisingSDE, MeanReverting
from torch import Generator, Tensor
from torch.testing import assert_close

from restoration import Network, Objective

Vectors = Callable[..., dict[str, Tensor]]
TIMES = torch.tensor([1, 2, 10, 50, 99, 100], dtype=torch.float64) / 100


def saying(answer: Tensor) -> Network:
    """Return a network that says the same whatever it is shown."""
    return lambda x, y, t: answer


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_euler_matching_has_the_loss_and_the_gradient_of_the_published_code(vectors: Vectors, norm: Norm) -> None:
    published, schedule = vectors("losses"), MeanReverting(max_sigma=10)
    x, y, said = published["x0"], published["mu"], published["pred"].requires_grad_()
    t = rearrange(published["timesteps"], "b 1 1 1 -> b").double() / 100
    a, b, c = curves(schedule, t, x.double())
    n = (published["states"] - a * x - b * y) / c
    loss = EulerMatching(norm=norm).loss_at(saying(said), schedule, x, y, t, n.float())
    assert loss.shape == (4,)
    (slope,) = torch.autograd.grad(loss.mean(), said)
    assert_close(loss.mean(), published[f"{norm}.loss"], rtol=1e-5, atol=0)
    gradient = published[f"{norm}.grad_pred"]
    assert_close(slope, gradient, rtol=1e-5, atol=1e-5 * float(gradient.abs().max()))


def test_both_sides_of_the_published_loss_are_reproduced(vectors: Vectors) -> None:
    published, schedule = vectors("losses"), MeanReverting(max_sigma=10)
    x_t, y, t = published["states"], published["mu"], published["timesteps"].flatten().double() / 100
    assert_close(euler_mean(schedule, published["pred"], x_t, y, t), published["expectation"], rtol=1e-5, atol=1e-6)
    assert_close(optimal_mean(schedule, published["x0"], x_t, y, t), published["optimum"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("max_sigma", [10, 50])
def test_the_correction_turns_what_euler_matching_teaches_into_the_noise(max_sigma: int) -> None:
    schedule = MeanReverting(max_sigma=max_sigma)
    x, y, n = numbers(3, 6, 3, 8, 8)
    x_t = state(schedule, x, y, TIMES, n)
    h, _, c = increments(schedule, TIMES, x_t)
    taught = torch.sinh(h) / h * n + c * (1 + h - torch.exp(h)) / (2 * schedule.lambda_**2 * h) * (x_t - y)
    assert_close(EulerMatching().distance(taught, x_t, x, y, schedule, TIMES, n), torch.zeros_like(TIMES))
    assert_close(EulerMatching().read(taught, schedule, x_t, y, TIMES), x)
    assert_close(EulerMatching(corrected=False).read(n, schedule, x_t, y, TIMES), x)
    wrong = (EulerMatching(corrected=False).read(taught, schedule, x_t, y, TIMES) - x).abs().amax(dim=(1, 2, 3))
    assert float(wrong[-1]) > 0.1


def test_the_correction_holds_in_single_precision() -> None:
    schedule = MeanReverting()
    x, y, n = numbers(3, 6, 3, 8, 8)
    x_t = state(schedule, x, y, TIMES, n)
    h, _, c = increments(schedule, TIMES, x_t)
    taught = torch.sinh(h) / h * n + c * (1 + h - torch.exp(h)) / (2 * schedule.lambda_**2 * h) * (x_t - y)
    read = EulerMatching().read(taught.float(), schedule, x_t.float(), y.float(), TIMES)
    assert_close(read.double(), x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("objective", [EulerMatching(), EulerMatching(corrected=False)])
def test_euler_matching_refuses_a_path_that_does_not_revert(objective: EulerMatching) -> None:
    x = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ValueError, match="mean-reverting path, not DenoisingSDE"):
        objective.loss(saying(x), DenoisingSDE(), x, x, Generator())


@pytest.mark.parametrize("max_sigma", [10, 50])
def test_the_posterior_mean_weighs_errors_of_the_noise_by_its_share_in_the_step(max_sigma: int) -> None:
    schedule = MeanReverting(max_sigma=max_sigma)
    x, y, n, said = numbers(4, 6, 3, 8, 8)
    h, _, c = (one.flatten() for one in increments(schedule, TIMES, x))
    weight = 2 * schedule.lambda_**2 * torch.sinh(h) / c
    loss = PosteriorMean().loss_at(saying(said), schedule, x, y, TIMES, n)
    assert_close(loss, weight * reduce((said - n).abs(), "b c h w -> b", "mean"))
    squared = PosteriorMean(norm="l2").loss_at(saying(said), schedule, x, y, TIMES, n)
    assert_close(squared, weight.square() * reduce((said - n).square(), "b c h w -> b", "mean"))
    assert_close(PosteriorMean().loss_at(saying(n), schedule, x, y, TIMES, n), torch.zeros_like(weight))


def test_the_posterior_mean_is_the_distance_of_two_optimal_steps() -> None:
    schedule = MeanReverting()
    x, y, n, said = numbers(4, 6, 3, 8, 8)
    x_t = state(schedule, x, y, TIMES, n)
    apart = optimal_mean(schedule, said, x_t, y, TIMES) - optimal_mean(schedule, x, x_t, y, TIMES)
    loss = PosteriorMean(predicts="clean").loss_at(saying(said), schedule, x, y, TIMES, n)
    assert_close(loss, reduce(apart.abs(), "b c h w -> b", "mean"))


def test_clean_matching_is_the_plain_error_of_the_image() -> None:
    x, y, n, said = numbers(4, 6, 3, 8, 8)
    loss = CleanMatching().loss_at(saying(said), MeanReverting(), x, y, TIMES, n)
    assert_close(loss, reduce((said - x).abs(), "b c h w -> b", "mean"))
    squared = CleanMatching(norm="l2").loss_at(saying(said), MeanReverting(), x, y, TIMES, n)
    assert_close(squared, reduce((said - x).square(), "b c h w -> b", "mean"))


def test_noise_matching_is_the_plain_error_of_the_noise() -> None:
    x, y, n, said = numbers(4, 6, 3, 8, 8)
    loss = NoiseMatching().loss_at(saying(said), MeanReverting(), x, y, TIMES, n)
    assert_close(loss, reduce((said - n).abs(), "b c h w -> b", "mean"))


@pytest.mark.parametrize("objective", [NoiseMatching(), PosteriorMean()])
@pytest.mark.parametrize("schedule", [MeanReverting(), DenoisingSDE()])
def test_a_network_that_says_the_true_noise_gives_the_clean_image(
    objective: CleanMatching, schedule: MeanReverting
) -> None:
    x, y, n = numbers(3, 6, 3, 8, 8)
    x_t = state(schedule, x, y, TIMES, n)
    assert_close(objective.clean(saying(n), schedule, x_t, y, TIMES), x)


def test_a_network_is_shown_the_state_the_degraded_image_and_the_time() -> None:
    shown = []

    def network(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        shown.append((x, y, t))
        return x

    schedule = MeanReverting()
    x, y, n = numbers(3, 6, 3, 8, 8).float()
    CleanMatching().loss_at(network, schedule, x, y, TIMES, n)
    ((x_t, seen, t),) = shown
    assert_close(x_t, state(schedule, x, y, TIMES, n))
    assert seen is y
    assert torch.equal(t, TIMES.float())


@pytest.mark.parametrize("objective", [CleanMatching(), NoiseMatching(), PosteriorMean(), EulerMatching()])
def test_a_loss_is_that_of_the_times_and_the_noise_it_draws(objective: CleanMatching) -> None:
    assert isinstance(objective, Objective)
    schedule = MeanReverting()
    x, y = numbers(2, 6, 3, 8, 8)

    def network(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return x.tanh()

    loss = objective.loss(network, schedule, x, y, Generator().manual_seed(5))
    rng = Generator().manual_seed(5)
    t = random_times(schedule, 6, rng)
    n = torch.randn(x.shape, generator=rng).to(x)
    assert torch.equal(loss, objective.loss_at(network, schedule, x, y, t, n))
    assert not torch.equal(loss, objective.loss(network, schedule, x, y, Generator().manual_seed(6)))


def test_rectified_states_are_made_from_the_networks_own_first_estimate() -> None:
    schedule, objective, shown = MeanReverting(), CleanMatching(rectification=0.5), []
    x, y, own = numbers(3, 6, 3, 8, 8).float()
    gain = torch.ones(1, requires_grad=True)

    def network(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        shown.append((x, t))
        return torch.mul(gain, own[: len(x)])

    loss = objective.loss(network, schedule, x, y, Generator().manual_seed(5))
    rng = Generator().manual_seed(5)
    t = random_times(schedule, 6, rng)
    n = torch.randn(x.shape, generator=rng)
    first = torch.randn(3, 3, 8, 8, generator=rng)
    (start, start_time), (x_t, _) = shown
    c = schedule.at(torch.tensor(1.0))[2].float()
    assert_close(start, y[:3] + c * first)
    assert start_time.tolist() == [1]
    assert_close(x_t, state(schedule, torch.cat([own[:3], x[3:]]), y, t, n))
    assert loss.requires_grad
    assert not x_t.requires_grad
    assert_close(loss, reduce((own - x).abs(), "b c h w -> b", "mean"))


@pytest.mark.parametrize("rectification", [0.0, 1.0])
def test_a_share_of_the_states_is_as_a_file_would_keep_it(rectification: float) -> None:
    schedule, shown = DenoisingSDE(), []
    x, y = numbers(2, 4, 3, 8, 8).float()

    def network(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        shown.append(x)
        return x

    for clipped in (0.5, 0.0):
        objective = CleanMatching(rectification=rectification, clipped=clipped)
        objective.loss(network, schedule, x, y, Generator().manual_seed(5))
    cut, free = shown[len(shown) // 2 - 1], shown[-1]
    assert float(free.min()) < 0
    assert_close(cut[:2] * 255, (free[:2].clamp(0, 1) * 255).round())
    assert torch.equal(cut[2:], free[2:])


@pytest.mark.parametrize("name", ["rectification", "clipped"])
@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_of_the_batch_is_between_none_and_all(name: str, share: float) -> None:
    with pytest.raises(ValueError, match=name):
        CleanMatching(**{name: share})


def test_drawn_times_are_all_the_places_but_the_clean_one() -> None:
    times = random_times(MeanReverting(T=10), 1000, Generator().manual_seed(0))
    assert sorted(set((times * 10).round().int().tolist())) == list(range(1, 11))
    assert_close(times * 10, (times * 10).round())
