"""Single steps against the published code, which took them from `marginal` with the noise `pred` and the draw `z`."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from restoration_ir_sde.objectives import NoiseMatching
from restoration_ir_sde.schedules import DenoisingSDE, MeanReverting
from restoration_ir_sde.states import State, curves, euler_mean, known_state, optimal_mean
from torch import Tensor

from restoration import Sampler
from restoration.sampling import EulerODE, EulerSDE, Multistep, first_state, posterior

Vectors = Callable[..., dict[str, Tensor]]
PLACES = [(max_sigma, place) for max_sigma in (10, 50) for place in (1, 2, 10, 50, 99, 100)]
ON_PATH = pytest.mark.parametrize(("max_sigma", "place"), PLACES)
DENOISING = pytest.mark.parametrize("place", [1, 10, 21, 100])


def assert_near(got: Tensor, published: Tensor, share: float = 1e-5) -> None:
    """Compare, relative to each number and, for those near zero, to half of the largest."""
    torch.testing.assert_close(got, published, rtol=share, atol=share / 2 * float(published.abs().max()))


def state(schedule: MeanReverting, x_t: Tensor, y: Tensor, place: int) -> State:
    """Return a state at one of the places of a path."""
    return State(schedule=schedule, x_t=x_t, y=y, t=torch.tensor([place / schedule.T]))


def step(
    sampler: Sampler,
    schedule: MeanReverting,
    place: int,
    x_t: Tensor,
    y: Tensor,
    clean: Callable[[Tensor], Tensor],
    z: Tensor,
) -> Tensor:
    """Return where one step from a place of the path to the one before leads."""
    times = torch.tensor([place, place - 1], dtype=torch.float64) / schedule.T
    after: Tensor
    ((after, _),) = sampler(lambda x_t, t: clean(x_t), schedule, x_t, y, times, lambda: z)
    return after


def reader(schedule: MeanReverting, place: int, noise: Tensor, y: Tensor) -> Callable[[Tensor], Tensor]:
    """Return what gives the clean image that a network sees which predicts `noise`."""

    def clean(x_t: Tensor) -> Tensor:
        return NoiseMatching().read(noise, state(schedule, x_t, y, place))

    return clean


@ON_PATH
def test_states_and_scores_are_those_of_the_published_code(vectors: Vectors, max_sigma: int, place: int) -> None:
    given, published = vectors("steps"), vectors("steps", f"cosine_{max_sigma}.t{place}.")
    schedule, t = MeanReverting(max_sigma=max_sigma), torch.tensor([place / 100])
    x_t = known_state(schedule, given["x0"], given["mu"], t, given["noise"]).x_t
    assert_near(x_t, published["marginal"])
    a, b, c = curves(schedule, t, x_t)
    assert_near(-given["pred"] / c, published["score"])
    noise = (published["marginal"] - a * given["x0"] - b * given["mu"]) / c
    lost = 2**-22 / float(c)
    torch.testing.assert_close(noise, given["noise"], rtol=1e-5, atol=lost)
    torch.testing.assert_close(published["real_noise"], given["noise"], rtol=1e-5, atol=lost)
    torch.testing.assert_close(-given["noise"] / c, published["real_score"], rtol=1e-5, atol=lost / float(c))


@ON_PATH
def test_the_clean_image_is_read_out_as_in_the_published_code(vectors: Vectors, max_sigma: int, place: int) -> None:
    given, published = vectors("steps"), vectors("steps", f"cosine_{max_sigma}.t{place}.")
    clean = reader(MeanReverting(max_sigma=max_sigma), place, given["pred"], given["mu"])
    assert_near(clean(published["marginal"]), published["init_state_from_noise"])


@ON_PATH
def test_euler_steps_are_those_of_the_published_code(vectors: Vectors, max_sigma: int, place: int) -> None:
    given, published = vectors("steps"), vectors("steps", f"cosine_{max_sigma}.t{place}.")
    schedule, x_t, y, z = MeanReverting(max_sigma=max_sigma), published["marginal"], given["mu"], given["z"]
    clean = reader(schedule, place, given["pred"], y)
    mean = euler_mean(given["pred"], state(schedule, x_t, y, place))
    assert_near(mean, published["reverse_sde_step_mean"])
    assert_near(step(EulerSDE(), schedule, place, x_t, y, clean, z), published["reverse_sde_step"])
    assert_near(step(EulerSDE(), schedule, place, x_t, y, clean, 0 * z), published["reverse_sde_step_mean"])
    assert_near(step(EulerODE(), schedule, place, x_t, y, clean, z), published["reverse_ode_step"])


@ON_PATH
def test_forward_steps_follow_from_the_same_increments(vectors: Vectors, max_sigma: int, place: int) -> None:
    given, published = vectors("steps"), vectors("steps", f"cosine_{max_sigma}.t{place}.")
    shrink, _, variance = MeanReverting(max_sigma=max_sigma).rates(place / 100, (place - 1) / 100)
    x_t = published["marginal"]
    assert_near(x_t + shrink * (given["mu"] - x_t) + math.sqrt(variance) * given["z"], published["forward_step"])


@ON_PATH
def test_posterior_and_optimal_steps_are_those_of_the_published_code(
    vectors: Vectors, max_sigma: int, place: int
) -> None:
    given, published = vectors("steps"), vectors("steps", f"cosine_{max_sigma}.t{place}.")
    schedule, x_t, y, z = MeanReverting(max_sigma=max_sigma), published["marginal"], given["mu"], given["z"]
    share = 5e-4 if place <= 2 else 1e-5
    mean = optimal_mean(given["x0"], state(schedule, x_t, y, place))
    assert_near(mean, published["reverse_optimum_step"], share)
    known = step(posterior(), schedule, place, x_t, y, lambda x_t: given["x0"], 0 * z)
    assert_near(known, published["reverse_optimum_step"], share)
    clean = reader(schedule, place, given["pred"], y)
    assert_near(step(posterior(), schedule, place, x_t, y, clean, z), published["reverse_posterior_step"], share)


@pytest.mark.parametrize("max_sigma", [10, 50])
def test_the_first_state_has_the_noise_of_the_path_where_the_published_code_has_lambda(
    vectors: Vectors, max_sigma: int
) -> None:
    given, schedule = vectors("steps"), MeanReverting(max_sigma=max_sigma)
    first = first_state(schedule, given["mu"], lambda: given["z"])
    missing = schedule.lambda_ - float(schedule.at(torch.tensor(1.0))[2])
    assert missing == pytest.approx(1.25e-5 * schedule.lambda_, rel=1e-3)
    assert_near(first + missing * given["z"], given[f"cosine_{max_sigma}.noise_state"], 5e-7)


@DENOISING
def test_steps_of_denoising_are_those_of_the_published_code(vectors: Vectors, place: int) -> None:
    given, published = vectors("steps"), vectors("steps", f"denoising_75.t{place}.")
    schedule, t = DenoisingSDE(max_sigma=75), torch.tensor([place / 100])
    x_t, z = published["marginal"], given["z"]
    assert_near(known_state(schedule, given["x0"], given["mu"], t, given["noise"]).x_t, x_t)
    clean = reader(schedule, place, given["pred"], given["mu"])
    assert_near(clean(x_t), published["init_state_from_noise"])
    assert_near(step(EulerSDE(), schedule, place, x_t, given["mu"], clean, z), published["reverse_sde_step"])
    assert_near(step(EulerSDE(), schedule, place, x_t, given["mu"], clean, 0 * z), published["reverse_sde_step_mean"])
    assert_near(step(EulerODE(), schedule, place, x_t, given["mu"], clean, z), published["reverse_ode_step"])


@DENOISING
def test_the_optimal_step_of_denoising_is_that_of_reversion_to_the_clean_image(vectors: Vectors, place: int) -> None:
    given, published = vectors("steps"), vectors("steps", f"denoising_75.t{place}.")
    schedule, x = MeanReverting(max_sigma=75, eps=0.04), given["x0"]
    mean = optimal_mean(x, state(schedule, published["marginal"], x, place))
    assert_near(mean, published["reverse_optimum_step"], 5e-4 if place <= 2 else 1e-5)


@pytest.mark.parametrize("stride", [1, 7, 30])
def test_first_order_with_full_noise_is_the_posterior_of_ddpm(stride: int) -> None:
    schedule, rng = MeanReverting(), torch.Generator().manual_seed(0)
    x, y, x_t, z = torch.randn(4, 1, 3, 8, 8, generator=rng, dtype=torch.float64)
    times = torch.tensor([0.6, 0.6 - stride / 100], dtype=torch.float64)
    ((after, estimate),) = Multistep(order=1, eta=1)(lambda *_: x, schedule, x_t, y, times, lambda: z)
    (B, C), A = schedule.at(times)[0].tolist(), float(schedule.at(times)[0][0] / schedule.at(times)[0][1])
    mean = y + A * (1 - C**2) / (1 - B**2) * (x_t - y) + C * (1 - A**2) / (1 - B**2) * (x - y)
    std = schedule.lambda_ * math.sqrt((1 - A**2) * (1 - C**2) / (1 - B**2))
    torch.testing.assert_close(after, mean + std * z)
    assert torch.equal(estimate, x)
