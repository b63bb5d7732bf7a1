"""Denoising diffusion on pictures whose distribution is known: what it draws and what it denoises are right."""

from __future__ import annotations

import math

import pytest
import torch
from restoration_ddpm.generation import make_sheet
from restoration_ddpm.restorers import DDPM, time_of
from restoration_ddpm.schedules import Kind, VariancePreserving
from restoration_ir_sde.objectives import CleanMatching, Matching, NoiseMatching, VelocityMatching
from torch import Generator, Tensor
from torch.testing import assert_close

from restoration import Network, NoiseSchedule, Observation, Restoration, RowGenerators, Sampler
from restoration.sampling import ddim, dpmpp_2m, posterior

MEAN, SPREAD = 0.5, 0.1


def expert(schedule: NoiseSchedule, objective: Matching) -> Network:
    """Return the perfect network for pictures of pixels from N(0.5, 0.1²): its clean image is the posterior mean."""

    def network(x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        a, _, c = (float(curve) for curve in schedule.at(t.double())[:3])
        clean = MEAN + a * SPREAD**2 / (a**2 * SPREAD**2 + c**2) * (x_t - a * MEAN)
        noise = (x_t - a * clean) / c
        answers = {CleanMatching: clean, NoiseMatching: noise, VelocityMatching: a * noise - c * clean}
        return answers[type(objective)]  # type: ignore[index]

    return network


def method(
    schedule: NoiseSchedule | None = None,
    objective: Matching | None = None,
    sampler: Sampler | None = None,
    *,
    steps: int = 50,
) -> DDPM:
    schedule, objective = schedule or VariancePreserving(strength=0.5), objective or NoiseMatching()
    network = expert(schedule, objective)
    return DDPM(network=network, schedule=schedule, objective=objective, sampler=sampler or ddim(), steps=steps)


def drawn(method: DDPM, number: int = 16, side: int = 24) -> Tensor:
    *_, pictures = method.sample(RowGenerators.keyed("test", rows=range(number)), 1, side, side)
    return pictures


@pytest.mark.parametrize("objective", [CleanMatching(), NoiseMatching(), VelocityMatching()])
@pytest.mark.parametrize(("sampler", "steps"), [(ddim(), 100), (dpmpp_2m(), 50), (posterior(), 400)])
def test_what_is_drawn_has_the_distribution_of_the_pictures(objective: Matching, sampler: Sampler, steps: int) -> None:
    pictures = drawn(method(objective=objective, sampler=sampler, steps=steps))
    assert abs(float(pictures.mean()) - MEAN) < 0.005
    assert abs(float(pictures.std()) - SPREAD) < 0.1 * SPREAD


@pytest.mark.parametrize("kind", ["linear", "scaled-linear", "sigmoid", "cosine", "sigmoid-abar"])
def test_every_schedule_draws_them(kind: Kind) -> None:
    pictures = drawn(method(VariancePreserving(kind=kind), VelocityMatching(), dpmpp_2m()))
    assert abs(float(pictures.mean()) - MEAN) < 0.03
    assert abs(float(pictures.std()) - SPREAD) < 0.25 * SPREAD


def test_a_picture_depends_on_its_own_row_alone() -> None:
    many, few = drawn(method(sampler=posterior(), steps=5), 5, 8), drawn(method(sampler=posterior(), steps=5), 2, 8)
    assert torch.equal(many[:2], few)
    assert not torch.equal(many[0], many[1])


def test_a_noisy_picture_is_a_state_of_the_path_and_one_step_gives_its_mean() -> None:
    x = MEAN + SPREAD * torch.randn(1, 1, 64, 64, generator=Generator().manual_seed(1))
    y = x + SPREAD * torch.randn(x.shape, generator=Generator().manual_seed(2))
    observation = Observation(y=y, sigma=SPREAD)
    *_, mean = method(steps=1)(observation, Generator())
    assert_close(mean, (y + MEAN) / 2, atol=2e-3, rtol=0)
    *_, likely = method(sampler=posterior(), steps=100)(observation, Generator().manual_seed(3))
    assert float((mean - x).square().mean()) == pytest.approx(SPREAD**2 / 2, rel=0.1)
    assert float((likely - x).square().mean()) == pytest.approx(SPREAD**2, rel=0.1)
    assert float(likely.std()) == pytest.approx(SPREAD, rel=0.05)


def test_unknown_noise_is_estimated_and_a_map_is_refused() -> None:
    y = MEAN + 0.2 * torch.randn(1, 1, 96, 96, generator=Generator().manual_seed(1))
    denoiser = method(steps=1)
    list(denoiser(Observation(y=y), Generator()))
    assert float(denoiser.told["started at"][2:]) == pytest.approx(time_of(denoiser.schedule, 0.2), abs=0.01)
    with pytest.raises(ValueError, match="noise of one strength, not a map"):
        list(denoiser(Observation(y=y, sigma=torch.ones(1, 1, 96, 96)), Generator()))


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_the_time_of_a_noise_is_where_the_path_has_it(strength: float) -> None:
    schedule = VariancePreserving(strength=strength)
    for sigma in (0.01, 0.2, 3.0):
        a, _, c = (float(curve) for curve in schedule.at(torch.tensor(time_of(schedule, sigma), dtype=torch.float64)))
        assert c / a == pytest.approx(sigma, rel=1e-4)
    assert time_of(schedule, math.inf) == pytest.approx(1)


def test_the_clean_estimates_are_clipped_as_published_unless_that_is_not_wanted() -> None:
    def network(x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return torch.full_like(x_t, 1.5)

    parts = {"network": network, "schedule": VariancePreserving(), "objective": CleanMatching(), "sampler": ddim()}
    clipped, free = (DDPM(**parts, steps=2, clip=clip) for clip in (True, False))  # type: ignore[arg-type]
    assert float(drawn(clipped, 1, 4).max()) == 1
    assert float(drawn(free, 1, 4).max()) == 1.5


def test_deep_image_prior_gives_the_start_and_noise_is_added_to_it() -> None:
    x = torch.zeros(1, 1, 16, 16)
    x[..., 4:12, 4:12] = 1
    y = x + 0.2 * torch.randn(x.shape, generator=Generator().manual_seed(1))
    schedule = VariancePreserving(strength=0.5)
    shown: list[Tensor] = []

    def network(x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        shown.append(x_t)
        return x

    parts = {"network": network, "schedule": schedule, "objective": CleanMatching(), "sampler": ddim(), "dip_steps": 5}
    observation = Observation(y=y, sigma=0.2)
    start, naive = (DDPM(**parts, steps=3, prior=prior) for prior in ("start", "naive"))  # type: ignore[arg-type]
    first, *_, last = start(observation, Generator().manual_seed(0))
    assert start.untrained is not None and start.untrained.fits == 1
    seed = int(torch.randint(2**31, (1,), generator=Generator().manual_seed(0)))
    alone = Restoration("dip", "denoise", options={"quality": "fast", "steps": 5}, device="cpu")(observation, seed=seed)
    assert torch.equal(first, alone.picture.pixels)
    assert torch.equal(last, x)
    a, _, c = (float(curve) for curve in schedule.at(torch.tensor(time_of(schedule, 0.2), dtype=torch.float64)))
    assert float((shown[0] - a * first).std()) == pytest.approx(c, rel=0.2)
    shown.clear()
    list(naive(observation, Generator().manual_seed(0)))
    assert naive.untrained is not None and naive.untrained.fits == len(shown) == 3
    assert float((shown[0] - a * y).abs().mean()) > 0.05, "the network was shown the state itself"


def test_a_sheet_holds_all_pictures_in_rows_with_white_between_them() -> None:
    pictures = torch.linspace(0, 0.9, 5)[:, None, None, None].expand(5, 1, 3, 4)
    sheet = make_sheet(pictures)
    assert sheet.shape == (1, 1, 2 * 3 + 2, 3 * 4 + 4)
    assert torch.equal(sheet[..., 5:8, 6:10], pictures[4:5])
    assert float(sheet[..., 3:5, :].min()) == float(sheet[..., 5:, 12:].min()) == 1
    assert make_sheet(pictures, columns=1, zoom=2).shape == (1, 1, 5 * 6 + 8, 8)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"renoise": 0.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    schedule, objective = VariancePreserving(), NoiseMatching()
    network = expert(schedule, objective)
    with pytest.raises(ValueError, match="steps must be at least 1 and renoise above 0"):
        DDPM(network=network, schedule=schedule, objective=objective, sampler=ddim(), **wrong)  # type: ignore[arg-type]
