"""The paths against the tables of the published code and against closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from restoration_ir_sde.flow import RectifiedFlow
from restoration_ir_sde.schedules import DenoisingSDE, MeanReverting, OUBridge, Theta, theta
from torch import Tensor
from torch.testing import assert_close

from restoration import NoiseSchedule

Vectors = Callable[..., dict[str, Tensor]]
PATHS: list[tuple[Theta, float]] = [(kind, size) for kind in ("constant", "linear", "cosine") for size in (10, 50)]
DENOISING: list[tuple[Theta, float, int]] = [("cosine", 75, 100), ("cosine", 70, 1000), ("linear", 75, 100)]
ROUNDED = 4e-7
"""What float32 loses in `1 - f` and in sums of such numbers."""


def places(T: int) -> Tensor:
    return torch.arange(T + 1, dtype=torch.float64) / T


@pytest.mark.parametrize(("kind", "max_sigma"), PATHS)
def test_a_mean_reverting_path_has_the_tables_of_the_published_code(
    vectors: Vectors, kind: Theta, max_sigma: float
) -> None:
    published = {name: one.double() for name, one in vectors("schedules", f"{kind}_{max_sigma}.").items()}
    schedule = MeanReverting(theta=kind, max_sigma=max_sigma, T=100, eps=0.005)
    a, b, c = schedule.at(places(100))
    assert_close(theta(kind, 100), published["thetas"], rtol=1e-5, atol=ROUNDED)
    assert_close(schedule.integral(places(100)), published["thetas_cumsum"] * published["dt"], rtol=1e-5, atol=ROUNDED)
    assert_close(a, published["alpha"], rtol=1e-5, atol=0)
    assert_close(b, 1 - published["alpha"], rtol=1e-5, atol=ROUNDED)
    assert_close(c, published["sigma_bars"], rtol=1e-5, atol=0)


@pytest.mark.parametrize(("kind", "max_sigma"), PATHS)
def test_the_noise_of_a_step_is_that_of_the_published_code(vectors: Vectors, kind: Theta, max_sigma: float) -> None:
    published = {name: one.double() for name, one in vectors("schedules", f"{kind}_{max_sigma}.").items()}
    schedule = MeanReverting(theta=kind, max_sigma=max_sigma)
    variances = [schedule.rates(place / 100, (place - 1) / 100)[2] for place in range(1, 101)]
    sigmas = (torch.tensor(variances, dtype=torch.float64) / published["dt"]).sqrt()
    assert_close(sigmas, published["sigmas"][1:], rtol=2e-5, atol=0)
    a, _, c = schedule.at(places(100))
    keep = (c[:-1] * a[1:] / (a[:-1] * c[1:])).square()
    assert_close(c[:-1] * (1 - keep).sqrt(), published["posterior_std"], rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize(("kind", "max_sigma", "T"), DENOISING)
def test_the_path_of_denoising_has_the_tables_of_the_published_code(
    vectors: Vectors, kind: Theta, max_sigma: float, T: int
) -> None:
    published = {name: one.double() for name, one in vectors("schedules", f"denoising_{kind}_{max_sigma}_{T}.").items()}
    schedule = DenoisingSDE(theta=kind, max_sigma=max_sigma, T=T)
    total = published["thetas_cumsum"] * published["dt"]
    assert_close(schedule.integral(places(T)), total, rtol=1e-5, atol=ROUNDED)
    a, b, c = schedule.at(places(T))
    assert bool((a == 1).all())
    assert bool((b == 0).all())
    share, published_share = (c / schedule.lambda_).square(), (published["sigma_bars"] / schedule.lambda_).square()
    assert_close(share, published_share, rtol=1e-5, atol=ROUNDED)


@pytest.mark.parametrize("level", [15, 25, 50])
@pytest.mark.parametrize(("kind", "max_sigma", "T"), DENOISING)
def test_a_noisy_picture_belongs_to_the_place_that_the_published_code_finds(
    vectors: Vectors, kind: Theta, max_sigma: float, T: int, level: int
) -> None:
    published = vectors("schedules", f"denoising_{kind}_{max_sigma}_{T}.")
    schedule = DenoisingSDE(theta=kind, max_sigma=max_sigma, T=T)
    assert schedule.time_of(level / 255) * T == pytest.approx(int(published[f"optimal_timestep_{level}"]))


def test_the_place_of_a_noisy_picture_has_its_noise() -> None:
    schedule = DenoisingSDE(T=1000)
    for level in (2, 20, 60):
        c = float(schedule.at(torch.tensor(schedule.time_of(level / 255)))[2])
        assert c == pytest.approx(level / 255, rel=0.02)


def test_the_strongest_noise_of_the_path_is_at_its_end_and_faint_noise_at_its_first_place() -> None:
    assert DenoisingSDE(max_sigma=50).time_of(50 / 255) == 1
    assert DenoisingSDE(max_sigma=50).time_of(1e-6) == 0.01


@pytest.mark.parametrize("sigma", [0.0, -0.1, 71 / 255])
def test_noise_that_is_not_on_the_path_is_an_error(sigma: float) -> None:
    with pytest.raises(ValueError, match="holds noise up to 70/255"):
        DenoisingSDE(max_sigma=70).time_of(sigma)


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine"])
def test_a_path_starts_clean_and_ends_with_a_share_of_eps(kind: Theta) -> None:
    schedule = MeanReverting(theta=kind, max_sigma=30, T=37, eps=0.02)
    a, b, c = schedule.at(torch.tensor([0.0, 1.0]))
    assert (a.tolist(), b.tolist()) == ([1, pytest.approx(0.02)], [0, pytest.approx(0.98)])
    assert c.tolist() == [0, pytest.approx(30 / 255 * math.sqrt(1 - 0.02**2))]


def test_the_constant_path_is_an_exponential_in_closed_form() -> None:
    t = torch.linspace(0, 1, 77, dtype=torch.float64)
    a, b, c = MeanReverting(theta="constant", max_sigma=25.5, T=10, eps=0.01).at(t)
    assert_close(a, 0.01**t)
    assert_close(b, 1 - 0.01**t)
    assert_close(c, 0.1 * (1 - 0.01 ** (2 * t)).sqrt())


def test_curves_are_double_precision_of_the_shape_of_the_times() -> None:
    for schedule in (MeanReverting(), DenoisingSDE(), OUBridge(), RectifiedFlow()):
        assert isinstance(schedule, NoiseSchedule)
        for t in (torch.tensor(0.3), torch.rand(4), torch.rand(2, 3)):
            assert all(curve.dtype == torch.float64 and curve.shape == t.shape for curve in schedule.at(t))


def test_noise_grows_and_the_clean_image_fades_all_along_the_path() -> None:
    a, b, c = MeanReverting().at(torch.linspace(0, 1, 1001, dtype=torch.float64))
    assert bool((a.diff() < 0).all())
    assert bool((b.diff() > 0).all())
    assert bool((c.diff() > 0).all())
    assert_close(a + b, torch.ones_like(a))


def test_between_two_places_the_integral_is_linear() -> None:
    schedule = MeanReverting(T=10)
    low, middle, high = schedule.integral(torch.tensor([0.3, 0.35, 0.4], dtype=torch.float64))
    assert float(middle) == pytest.approx(float(low + high) / 2)


def test_times_in_single_precision_meet_the_places_exactly() -> None:
    schedule = MeanReverting(T=1000)
    assert torch.equal(schedule.integral(places(1000).float()), schedule.theta_bar)


def test_times_outside_the_path_are_its_ends() -> None:
    schedule = MeanReverting()
    assert torch.equal(schedule.integral(torch.tensor([-0.1, 1.1])), schedule.integral(torch.tensor([0.0, 1.0])))


def test_steps_go_from_one_down_to_zero() -> None:
    steps = MeanReverting().steps(4)
    assert steps.dtype == torch.float64
    assert steps.tolist() == [1, 0.75, 0.5, 0.25, 0]


@pytest.mark.parametrize("options", [{"max_sigma": 0}, {"max_sigma": -1}, {"eps": 0}, {"eps": 1}, {"T": 0}])
def test_a_path_that_leads_nowhere_is_an_error(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        MeanReverting(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine"])
def test_a_bridge_is_the_mean_reverting_path_given_that_it_ends_at_the_degraded_image(kind: Theta) -> None:
    """The distribution of a state given the last one, by the rule for parts of a normal distribution."""
    free, bridge = (path(theta=kind, max_sigma=30, T=50, eps=0.01) for path in (MeanReverting, OUBridge))
    t = torch.linspace(0, 0.98, 99, dtype=torch.float64)
    (a, b, c), (a_end, b_end, c_end) = free.at(t), free.at(torch.ones(1, dtype=torch.float64))
    with_the_last = a_end / a * c.square()
    pull = with_the_last / c_end.square()
    found = bridge.at(t)
    assert_close(found[0], a - pull * a_end)
    assert_close(found[1], b + pull * (1 - b_end), rtol=1e-6, atol=1e-12)
    assert_close(found[2].square(), c.square() - pull * with_the_last, rtol=1e-6, atol=1e-12)


def test_a_bridge_ends_at_the_degraded_image_with_a_hundredth_of_its_noise_at_most() -> None:
    a, b, c = OUBridge(max_sigma=30).at(torch.ones(1, dtype=torch.float64))
    assert (float(a), float(b)) == (pytest.approx(0.0, abs=1e-6), pytest.approx(1.0, abs=1e-6))
    assert 0 < float(c) < 0.5 / 255


def test_a_rectified_flow_is_a_straight_line() -> None:
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    a, b, c = RectifiedFlow(max_sigma=25.5).at(t)
    assert_close(a, 1 - t, rtol=0, atol=2e-6)
    assert_close(b, t, rtol=0, atol=2e-6)
    assert_close(c, 0.1 * t)


@pytest.mark.parametrize("options", [{"max_sigma": 0}, {"T": 0}])
def test_a_straight_line_without_noise_or_times_is_an_error(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        RectifiedFlow(**options)
