"""Samplers on three curves written here, against textbook formulas and the closed forms of normal pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Generator, Tensor
from torch.testing import assert_close

from restoration.interfaces import NoiseSchedule, Sampler
from restoration.sampling import (
    EulerODE,
    EulerSDE,
    Multistep,
    ddim,
    dpmpp_2m,
    dpmpp_2m_sde,
    drawing,
    first_state,
    posterior,
    rates,
)

BETAS = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
SAMPLERS = [dpmpp_2m(), dpmpp_2m_sde(), ddim(), posterior(), EulerSDE(), EulerODE()]
STEPS = pytest.mark.parametrize("place", [2, 10, 500, 1000])


@dataclass(frozen=True)
class Curves:
    """A schedule from three functions of the time."""

    a: Callable[[Tensor], Tensor]
    b: Callable[[Tensor], Tensor]
    c: Callable[[Tensor], Tensor]

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `a`, `b` and `c`."""
        t = t.double()
        return self.a(t), self.b(t), self.c(t)

    def steps(self, n: int) -> Tensor:
        """Return `n + 1` times, evenly spaced."""
        return torch.linspace(1, 0, n + 1, dtype=torch.float64)


def kept(t: Tensor) -> Tensor:
    """Return the product of 1 - beta up to a place of 1000: DDPM's alpha-bar."""
    return torch.cat([torch.ones(1).double(), (1 - BETAS).cumprod(0)])[(t * 1000).round().long()]


ddpm = Curves(a=lambda t: kept(t).sqrt(), b=torch.zeros_like, c=lambda t: (1 - kept(t)).sqrt())
exploding = Curves(a=torch.ones_like, b=torch.zeros_like, c=lambda t: 5 * t**2)
reverting = Curves(
    a=lambda t: torch.exp(-5 * t), b=lambda t: -torch.expm1(-5 * t), c=lambda t: 0.2 * torch.sqrt(-torch.expm1(-10 * t))
)
never_clean = Curves(a=torch.ones_like, b=torch.zeros_like, c=lambda t: 0.1 * 50**t)
SCHEDULES = pytest.mark.parametrize("schedule", [ddpm, exploding, reverting], ids=["ddpm", "exploding", "reverting"])


def images(number: int, *shape: int) -> Tensor:
    return torch.randn(number, *shape, generator=Generator().manual_seed(0), dtype=torch.float64)


def one_step(
    sampler: Sampler, schedule: NoiseSchedule, place: int, x: Tensor, x_t: Tensor, y: Tensor, z: Tensor
) -> Tensor:
    """Return where a step from one of 1000 places to the one before leads if the network says `x`."""
    times = torch.tensor([place, place - 1], dtype=torch.float64) / 1000
    ((after, estimate),) = sampler(lambda *_: x, schedule, x_t, y, times, lambda: z)
    assert torch.equal(estimate, x)
    return after


@STEPS
def test_ancestral_sampling_is_that_of_ddpm(place: int) -> None:
    x, x_t, y, z = images(4, 1, 3, 4, 4)
    beta, now, then = BETAS[place - 1], kept(torch.tensor(place / 1000)), kept(torch.tensor((place - 1) / 1000))
    mean = then.sqrt() * beta / (1 - now) * x + (1 - beta).sqrt() * (1 - then) / (1 - now) * x_t
    variance = (1 - then) / (1 - now) * beta
    assert_close(one_step(posterior(), ddpm, place, x, x_t, y, z), mean + variance.sqrt() * z)


@STEPS
def test_ddim_is_equation_12_of_its_paper(place: int) -> None:
    x, x_t, y, z = images(4, 1, 3, 4, 4)
    now, then = kept(torch.tensor(place / 1000)), kept(torch.tensor((place - 1) / 1000))
    noise = (x_t - now.sqrt() * x) / (1 - now).sqrt()
    assert_close(one_step(ddim(), ddpm, place, x, x_t, y, z), then.sqrt() * x + (1 - then).sqrt() * noise)


@STEPS
def test_euler_on_ddpm_is_the_reverse_sde_of_score_models(place: int) -> None:
    x, x_t, y, z = images(4, 1, 3, 4, 4)
    beta, now = BETAS[place - 1], kept(torch.tensor(place / 1000))
    score = -(x_t - now.sqrt() * x) / (1 - now)
    growth = -0.5 * torch.log(1 - beta)
    sde = x_t + growth * x_t + beta * score - beta.sqrt() * z
    assert_close(one_step(EulerSDE(), ddpm, place, x, x_t, y, z), sde)
    assert_close(one_step(EulerODE(), ddpm, place, x, x_t, y, z), x_t + growth * x_t + beta / 2 * score)
    assert float(growth) == pytest.approx(float(beta) / 2, rel=0.011)


@STEPS
def test_steps_on_an_exploding_path_are_those_of_score_models(place: int) -> None:
    x, x_t, y, z = images(4, 1, 3, 4, 4)
    now, then = 5 * (place / 1000) ** 2, 5 * ((place - 1) / 1000) ** 2
    score = (x - x_t) / now**2
    share = now**2 - then**2
    ancestral = x_t + share * score + then * math.sqrt(share) / now * z
    assert_close(one_step(posterior(), exploding, place, x, x_t, y, z), ancestral)
    assert_close(one_step(EulerSDE(), exploding, place, x, x_t, y, z), x_t + share * score - math.sqrt(share) * z)
    assert_close(one_step(EulerODE(), exploding, place, x, x_t, y, z), x_t + share / 2 * score)
    assert_close(one_step(ddim(), exploding, place, x, x_t, y, z), x_t + (then - now) * -now * score)


def test_the_second_order_step_is_dpm_solver_plus_plus_2m() -> None:
    x, old, x_t = images(3, 1, 1, 4, 4)
    times = torch.tensor([1.0, 0.8, 0.5], dtype=torch.float64)
    answers = iter([old, x])
    _, (after, _) = Multistep()(lambda *_: next(answers), never_clean, x_t, x_t, times, lambda: x_t)
    sigmas = never_clean.at(times)[2]
    h0, h = (sigmas[0] / sigmas[1]).log(), (sigmas[1] / sigmas[2]).log()
    middle = sigmas[1] / sigmas[0] * x_t - torch.expm1(-h0) * old
    slope = (1 + torch.expm1(-h) / h) * h / h0
    assert_close(after, sigmas[2] / sigmas[1] * middle - torch.expm1(-h) * x + slope * (x - old))


@SCHEDULES
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_network_that_knows_the_picture_leads_to_it(sampler: Sampler, schedule: Curves) -> None:
    x, y, z = images(3, 1, 3, 4, 4)
    rng = Generator().manual_seed(0)
    first = first_state(schedule, y, lambda: z)
    *_, (_, estimate) = sampler(lambda *_: x, schedule, first, y, schedule.steps(10), drawing(y, rng))
    assert torch.equal(estimate, x)


@SCHEDULES
@pytest.mark.parametrize("sampler", SAMPLERS[:4])
def test_the_last_state_is_the_clean_estimate(sampler: Sampler, schedule: Curves) -> None:
    y, z = images(2, 1, 3, 4, 4)
    walked = list(sampler(lambda x_t, t: x_t.tanh() + t, schedule, z, y, schedule.steps(5), lambda: z))
    assert len(walked) == 5
    assert all(state is not estimate for state, estimate in walked[:-1])
    assert torch.equal(*walked[-1])


@SCHEDULES
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_network_is_asked_once_a_step_at_the_time_the_step_starts(sampler: Sampler, schedule: Curves) -> None:
    asked: list[Tensor] = []

    def clean(x_t: Tensor, t: Tensor) -> Tensor:
        asked.append(t)
        return x_t

    y = torch.zeros(1, 1, 2, 2)
    list(sampler(clean, schedule, y, y, schedule.steps(4), lambda: torch.zeros_like(y)))
    assert torch.cat(asked).tolist() == [1, 0.75, 0.5, 0.25]
    assert all(t.dtype == y.dtype and t.shape == (1,) for t in asked)


@pytest.mark.parametrize(
    ("sampler", "draws"),
    [(dpmpp_2m(), 0), (ddim(), 0), (EulerODE(), 0), (posterior(), 4), (dpmpp_2m_sde(), 4), (EulerSDE(), 5)],
)
def test_only_stochastic_samplers_draw_noise(sampler: Sampler, draws: int) -> None:
    drawn: list[None] = []
    y = torch.zeros(1, 1, 2, 2)

    def noise() -> Tensor:
        drawn.append(None)
        return y

    list(sampler(lambda x_t, t: x_t, reverting, y, y, reverting.steps(5), noise))
    assert len(drawn) == draws


@SCHEDULES
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_states_that_were_given_are_left_as_they_are(sampler: Sampler, schedule: Curves) -> None:
    y, z = images(2, 1, 3, 4, 4)
    copies = y.clone(), z.clone()
    walked = [
        (state, state.clone()) for state, _ in sampler(lambda x_t, t: x_t, schedule, z, y, schedule.steps(5), lambda: z)
    ]
    assert all(torch.equal(state, then) for state, then in walked)
    assert torch.equal(y, copies[0])
    assert torch.equal(z, copies[1])


MEAN, STD = 0.3, 0.5


def walked(sampler: Sampler, schedule: Curves, steps: int, pixels: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Walk from states of normal pixels with the exact network; return first state, last state and last estimate."""
    rng = Generator().manual_seed(1)
    y = torch.full((1, 1, pixels, 100), -0.1, dtype=torch.float64)

    def clean(x_t: Tensor, t: Tensor) -> Tensor:
        a, b, c = (float(curve) for curve in schedule.at(t))
        return MEAN + a * STD**2 / (a**2 * STD**2 + c**2) * (x_t - a * MEAN - b * y)

    a, b, c = (float(curve) for curve in schedule.at(torch.tensor(1.0)))
    noise = drawing(y, rng)
    first = a * MEAN + b * y + math.sqrt(a**2 * STD**2 + c**2) * noise().double()
    *_, (state, estimate) = sampler(clean, schedule, first, y, schedule.steps(steps), lambda: noise().double())
    return first, state, estimate


@SCHEDULES
@pytest.mark.parametrize(("sampler", "share"), [*((one, 0.03) for one in SAMPLERS[:5]), (EulerODE(), 0.1)])
def test_many_steps_draw_from_the_distribution_of_pictures(sampler: Sampler, schedule: Curves, share: float) -> None:
    _, _, estimate = walked(sampler, schedule, 500, pixels=100)
    assert float(estimate.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(estimate.std()) == pytest.approx(STD, rel=share)


def error(sampler: Sampler, steps: int) -> float:
    """Return how far the last state is from the exact solution of the probability-flow ODE."""
    first, state, _ = walked(sampler, never_clean, steps)
    exact = MEAN + (first - MEAN) * math.sqrt((STD**2 + 0.1**2) / (STD**2 + 5**2))
    return float((state - exact).abs().max())


def test_ddim_and_euler_halve_their_error_with_twice_the_steps() -> None:
    for sampler in (ddim(), EulerODE()):
        assert error(sampler, 200) / error(sampler, 400) == pytest.approx(2, rel=0.05)


def test_dpmpp_2m_quarters_its_error_with_twice_the_steps() -> None:
    assert error(dpmpp_2m(), 200) / error(dpmpp_2m(), 400) == pytest.approx(4, rel=0.05)


@SCHEDULES
def test_ten_steps_of_second_order_are_nearer_to_a_thousand_than_of_first_order(schedule: Curves) -> None:
    _, goal, _ = walked(dpmpp_2m(), schedule, 1000)
    second, first = (walked(sampler, schedule, 10)[1] for sampler in (dpmpp_2m(), ddim()))
    assert float((second - goal).abs().mean()) < 0.9 * float((first - goal).abs().mean())


def test_without_eta_the_stochastic_solver_is_the_deterministic_one() -> None:
    goal, same = (walked(sampler, reverting, 10)[1] for sampler in (dpmpp_2m(), dpmpp_2m_sde(eta=0)))
    assert torch.equal(goal, same)
    assert torch.equal(walked(ddim(eta=1), reverting, 10)[1], walked(posterior(), reverting, 10)[1])


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_the_noise_of_a_first_order_step_keeps_the_variance_whatever_eta_is(eta: float) -> None:
    x, x_t, z = images(3, 1, 1, 100, 100)
    times = torch.tensor([1.0, 0.7], dtype=torch.float64)
    c = never_clean.at(times)[2].tolist()
    ((after, _),) = ddim(eta=eta)(lambda *_: x, never_clean, x + c[0] * x_t, x, times, lambda: z)
    assert float((after - x).std()) == pytest.approx(c[1], rel=0.02)


def test_each_step_may_have_an_order_of_its_own() -> None:
    mixed = walked(Multistep(orders=(1,) * 10), reverting, 10)[1]
    assert torch.equal(mixed, walked(ddim(), reverting, 10)[1])
    assert not torch.equal(mixed, walked(Multistep(orders=(1,) * 8 + (2, 1)), reverting, 10)[1])


def test_orders_for_another_number_of_steps_are_an_error() -> None:
    with pytest.raises(ValueError, match="orders of 3 steps, where sampling takes 10"):
        walked(Multistep(orders=(1, 2, 2)), reverting, 10)


def test_the_same_rng_gives_the_same_picture() -> None:
    for sampler in SAMPLERS:
        assert isinstance(sampler, Sampler)
        assert torch.equal(walked(sampler, reverting, 5)[1], walked(sampler, reverting, 5)[1])


@pytest.mark.parametrize("options", [{"order": 3}, {"order": 0}, {"orders": (1, 3)}, {"eta": -0.1}])
def test_orders_and_noise_that_do_not_exist_are_an_error(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        Multistep(**options)  # type: ignore[arg-type]


def test_increments_follow_from_the_curves() -> None:
    shrink, ode, variance = rates(reverting, 0.5, 0.49)
    assert shrink == pytest.approx(0.05)
    assert variance == pytest.approx(0.2**2 * math.expm1(0.1) * 1, rel=0.11)
    assert ode == variance / 2
    assert rates(exploding, 0.4, 0.2) == pytest.approx((0, (0.8**2 - 0.2**2) / 2, 0.8**2 - 0.2**2))


def test_increments_of_a_schedule_that_has_its_own_are_asked_for() -> None:
    class Own(Curves):
        def rates(self, s: float, u: float) -> tuple[Tensor, int, float]:
            return torch.tensor(s), 2, u

    assert rates(Own(exploding.a, exploding.b, exploding.c), 0.5, 0.25) == (0.5, 2.0, 0.25)


@SCHEDULES
def test_the_first_state_is_the_path_with_the_degraded_image_for_the_clean_one(schedule: Curves) -> None:
    y, z = images(2, 1, 3, 4, 4)
    a, b, c = (float(curve) for curve in schedule.at(torch.tensor(0.6)))
    assert_close(first_state(schedule, y, lambda: z, 0.6), a * y + b * y + c * z)


def test_noise_is_drawn_in_one_stream_from_the_generator() -> None:
    noise = drawing(torch.zeros(2, 3, 4, 5), Generator().manual_seed(3))
    rng = Generator().manual_seed(3)
    for _ in range(2):
        assert torch.equal(noise(), torch.randn(2, 3, 4, 5, generator=rng))
