"""Whole walks against the published code, with a stub in the place of the network and the recorded noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from restoration_ir_sde.objectives import NoiseMatching
from restoration_ir_sde.schedules import DenoisingSDE, MeanReverting
from torch import Generator, Tensor

from restoration import Network, NoiseSchedule, Sampler
from restoration.sampling import EulerODE, EulerSDE, Multistep, posterior

Vectors = Callable[..., dict[str, Tensor]]
MAX_SIGMA = pytest.mark.parametrize("max_sigma", [10, 50])


def assert_near(got: Tensor, published: Tensor, share: float = 1e-4) -> None:
    """Compare, relative to the range of values."""
    extent = float(published.max() - published.min())
    torch.testing.assert_close(got, published, rtol=0, atol=share * extent)


def stub(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    """Say noise as the stub of the reference does."""
    return torch.tanh(3 * (x - y)) + t * 100 / 200 - 0.25


def stub_of_denoising(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    """Say noise without having seen the degraded image."""
    return stub(x, torch.full_like(x, 0.5), t)


def walk(
    sampler: Sampler,
    schedule: NoiseSchedule,
    x_t: Tensor,
    y: Tensor,
    times: Tensor,
    zs: Iterable[Tensor],
    network: Network = stub,
) -> tuple[Tensor, Tensor]:
    """Return the last state of a walk and the last clean estimate."""
    draws = iter(zs)

    def clean(x_t: Tensor, t: Tensor) -> Tensor:
        return NoiseMatching().clean(network, schedule, x_t, y, t)

    state, estimate = list(sampler(clean, schedule, x_t, y, times, lambda: next(draws)))[-1]
    return state, estimate


@MAX_SIGMA
@pytest.mark.parametrize(("name", "sampler"), [("reverse_sde", EulerSDE()), ("reverse_ode", EulerODE())])
def test_a_hundred_steps_of_euler_end_in_the_published_state(
    vectors: Vectors, name: str, sampler: Sampler, max_sigma: int
) -> None:
    given, published = vectors("trajectories"), vectors("trajectories", f"cosine_{max_sigma}.")
    schedule = MeanReverting(max_sigma=max_sigma)
    state, _ = walk(sampler, schedule, published["xT"], given["mu"], schedule.steps(100), given["zs"])
    assert_near(state, published[name])


@MAX_SIGMA
def test_a_hundred_steps_of_the_posterior_end_in_the_published_image(vectors: Vectors, max_sigma: int) -> None:
    given, published = vectors("trajectories"), vectors("trajectories", f"cosine_{max_sigma}.")
    schedule = MeanReverting(max_sigma=max_sigma)
    state, estimate = walk(posterior(), schedule, published["xT"], given["mu"], schedule.steps(100), given["zs"])
    assert_near(estimate, published["reverse_posterior"])
    assert torch.equal(state, estimate)


@MAX_SIGMA
def test_the_optimal_walk_ends_in_the_clean_image(vectors: Vectors, max_sigma: int) -> None:
    given, published = vectors("trajectories"), vectors("trajectories", f"cosine_{max_sigma}.")
    schedule, x, silence = MeanReverting(max_sigma=max_sigma), given["x0"], torch.zeros(())
    walked = posterior()(lambda *_: x, schedule, published["xT"], given["mu"], schedule.steps(100), lambda: silence)
    states = [state for state, _ in walked]
    assert_near(states[-1], published["optimal_reverse"])
    errors = [float((state - x).abs().max()) for state in states]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize(("name", "sampler"), [("reverse_sde", EulerSDE()), ("reverse_ode", EulerODE())])
def test_denoising_from_the_place_of_the_picture_ends_in_the_published_state(
    vectors: Vectors, name: str, sampler: Sampler
) -> None:
    zs, published = vectors("trajectories")["zs"], vectors("trajectories", "denoising_75.")
    schedule, y = DenoisingSDE(max_sigma=75), published["y"]
    start = schedule.time_of(25 / 255)
    assert start == pytest.approx(0.21)
    times = start * torch.linspace(1, 0, 22, dtype=torch.float64)
    state, _ = walk(sampler, schedule, y, y, times, zs, stub_of_denoising)
    assert_near(state, published[name])


class Fork:
    """The schedule of MaRS: theta is summed from its first value on, so that some noise is left at t = 0."""

    def __init__(self, table: Tensor) -> None:
        self.table = table

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `a`, `b` and `c` at times on the grid."""
        total = self.table[(t * 100).round().long()]
        return torch.exp(-total), -torch.expm1(-total), 50 / 255 * torch.sqrt(-torch.expm1(-2 * total))

    def steps(self, n: int) -> Tensor:
        """Return `n + 1` times, evenly spaced."""
        return torch.linspace(1, 0, n + 1, dtype=torch.float64)


@pytest.mark.parametrize("evaluations", [5, 10])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("kind", "eta"), [("ode", 0.0), ("sde", 1.0)])
def test_the_multistep_solver_is_mars(vectors: Vectors, kind: str, eta: float, order: int, evaluations: int) -> None:
    given = vectors("mars")
    schedule, y = Fork(given["thetas_cumsum"].double() * given["dt"].double()), given["mu"]
    times = schedule.steps(evaluations)
    torch.testing.assert_close(times.float() * 100, given[f"linspace{evaluations}.timesteps"])
    torch.testing.assert_close(schedule.at(times)[2].float(), given[f"linspace{evaluations}.sigmas"])
    last_but_one = evaluations - 2 if evaluations < 10 else None
    orders = tuple(1 if step == last_but_one else order for step in range(evaluations))
    rng = Generator().manual_seed(7)
    zs = [torch.randn(y.shape, generator=rng) for _ in times]
    state, _ = walk(Multistep(eta=eta, orders=orders), schedule, given["xT"], y, times, zs)
    assert_near(state, given[f"{kind}{order}.data.linspace{evaluations}"])
