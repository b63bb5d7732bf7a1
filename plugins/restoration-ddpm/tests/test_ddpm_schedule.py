"""The path of DDPM against published tables and closed forms, and the posterior that follows from its curves."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
import torch
from restoration_ddpm.schedules import Kind, VariancePreserving, betas
from safetensors.torch import load_file
from torch import Tensor
from torch.testing import assert_close

from restoration import NoiseSchedule
from restoration.sampling import posterior
from restoration.testing import ScheduleContract

VECTORS = load_file(Path(__file__).parent / "data" / "ddpm.safetensors")
KINDS: tuple[Kind, ...] = ("linear", "scaled-linear", "sigmoid", "cosine", "sigmoid-abar", "snr-linear", "snr-cosine")


class TestDefault(ScheduleContract):
    name = "ddpm"


class TestScaledLinear(ScheduleContract):
    name = "ddpm"
    options: ClassVar = {"kind": "scaled-linear", "beta_min": 0.001, "beta_max": 0.01, "T": 10}


class TestSigmoid(ScheduleContract):
    name = "ddpm"
    options: ClassVar = {"kind": "sigmoid", "T": 7}


class TestCosine(ScheduleContract):
    name = "ddpm"
    options: ClassVar = {"kind": "cosine"}


class TestSigmoidOfTheProduct(ScheduleContract):
    name = "ddpm"
    options: ClassVar = {"kind": "sigmoid-abar", "T": 1}


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_a_thousand_levels_have_the_betas_of_the_published_code(kind: Kind) -> None:
    assert_close(VariancePreserving(kind=kind).betas, VECTORS[f"schedules.{kind}"], rtol=1e-9, atol=1e-14)


def test_the_sigmoid_of_the_product_is_that_of_the_published_code_whose_ends_are_in_single_precision() -> None:
    schedule = VariancePreserving(kind="sigmoid-abar")
    assert_close(schedule.betas, VECTORS["schedules.sigmoid"], rtol=2e-5, atol=0)


def test_the_default_is_the_schedule_of_the_tutorials_in_single_precision() -> None:
    assert_close(VariancePreserving().betas.float(), VECTORS["schedules.tutorial"], rtol=1e-6, atol=0)


@pytest.mark.parametrize(("kind", "table"), [("linear", "linear"), ("scaled-linear", "scaled"), ("sigmoid", "sigmoid")])
def test_ten_levels_have_the_betas_of_the_staged_report(kind: Kind, table: str) -> None:
    assert_close(betas(kind, 0.001, 0.01, 10), VECTORS[f"schedules.seed0_{table}"], rtol=1e-12, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_level_is_the_product_of_the_steps_up_to_it(kind: Kind) -> None:
    schedule = VariancePreserving(kind=kind, T=50)
    assert isinstance(schedule, NoiseSchedule)
    a, b, c = schedule.at(torch.arange(51, dtype=torch.float64) / 50)
    product = torch.cat([torch.ones(1, dtype=torch.float64), (1 - schedule.betas).cumprod(0)])
    assert_close(a.square(), product, rtol=1e-11, atol=0)
    assert_close(c.square(), 1 - product, rtol=1e-11, atol=1e-15)
    assert not b.any()


def test_the_products_of_the_tutorials_are_met() -> None:
    a, _, _ = VariancePreserving().at((torch.tensor([0, 10, 500, 999]) + 1) / 1000)
    published = torch.tensor([0.99989998, 0.99780655, 0.07779664, 4.0358282e-05], dtype=torch.float64)
    assert_close(a.square(), published, rtol=1e-5, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_variance_is_preserved_all_along_the_path(kind: Kind) -> None:
    a, _, c = VariancePreserving(kind=kind, T=13).at(torch.linspace(0, 1, 1001, dtype=torch.float64))
    assert_close(a.square() + c.square(), torch.ones_like(a), rtol=1e-12, atol=0)


def test_between_levels_the_picture_fades_exponentially() -> None:
    schedule = VariancePreserving(T=10)
    low, middle, high = schedule.at(torch.tensor([0.3, 0.35, 0.4], dtype=torch.float64))[0]
    assert float(middle.square()) == pytest.approx(float(low * high))


def test_faint_noise_keeps_its_digits() -> None:
    t = torch.tensor(1e-13, dtype=torch.float64)
    _, _, c = VariancePreserving(T=1000).at(t)
    assert float(c) == pytest.approx((1e-10 * 1e-4) ** 0.5, rel=1e-3)


def test_times_outside_the_path_are_its_ends() -> None:
    outside, ends = (VariancePreserving().at(torch.tensor(times)) for times in ([-0.1, 1.1], [0.0, 1.0]))
    assert all(torch.equal(one, other) for one, other in zip(outside, ends, strict=True))


@pytest.mark.parametrize("place", range(5))
def test_a_step_of_ancestral_sampling_draws_from_the_published_posterior(place: int) -> None:
    vectors = {name.removeprefix("posterior."): one for name, one in VECTORS.items() if name.startswith("posterior.")}
    level = int(vectors["t"][place]) + 1
    variance, of_clean, of_state = (vectors[name][place] for name in ("var", "c1", "c2"))
    x, x_t, n = torch.randn(3, 1, 1, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).unbind()
    times = torch.tensor([level, level - 1], dtype=torch.float64) / 1000

    def clean(x_t: Tensor, t: Tensor) -> Tensor:
        return x

    ((state, estimate),) = posterior()(clean, VariancePreserving(), x_t, x, times, lambda: n)
    assert_close(state, of_clean * x + of_state * x_t + variance.sqrt() * n, rtol=1e-8, atol=1e-10)
    assert torch.equal(estimate, x)


@pytest.mark.parametrize("options", [{"beta_min": 0}, {"beta_max": 1}, {"beta_min": 0.03}, {"T": 0}])
def test_a_schedule_that_leads_nowhere_is_an_error(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="beta_max < 1, and T at least 1"):
        VariancePreserving(**options)  # type: ignore[arg-type]
