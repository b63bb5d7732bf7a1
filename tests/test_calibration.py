"""How honest samples are, on Gaussian samples for which the answers are known."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from restoration import BadOption, Restoration, load
from restoration.calibration import (
    ROUNDING,
    Moments,
    calibrate,
    correlation,
    coverage,
    interval_scale,
    pearson,
    regions,
    root_mean_square,
    spread,
)
from restoration.scoring.calibrated import EXPLAINED, calibrated


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(count: int, sigma: Tensor, *, stretch: float = 1.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Samples and the clean picture, all drawn from one Gaussian of deviation `sigma`; those of samples stretched."""
    mean = torch.rand(sigma.shape, generator=rng(seed))
    clean = mean + sigma * torch.randn(sigma.shape, generator=rng(seed + 1))
    noise = torch.randn(count, *sigma.shape, generator=rng(seed + 2))
    return mean + stretch * sigma * noise, clean


def test_moments_are_those_of_all_tensors_together() -> None:
    x = 100 + torch.randn(7, 2, 3, 5, 4, generator=rng(), dtype=torch.float64)
    moments = Moments()
    for one in x:
        moments.add(one)
    assert_close(moments.mean, x.mean(dim=0))
    assert_close(moments.deviation, x.std(dim=0))
    assert_close(torch.stack(spread(iter(x))), torch.stack([x.mean(dim=0), x.std(dim=0)]))


def test_equal_tensors_have_no_deviation_and_their_mean_is_the_same_to_the_bit() -> None:
    x = torch.rand(1, 3, 8, 8, generator=rng())
    mean, deviation = spread([x] * 5)
    assert torch.equal(mean, x) and not deviation.any()


def test_one_sample_has_no_deviation_and_none_has_no_mean() -> None:
    moments = Moments()
    with pytest.raises(ValueError, match="no mean of nothing"):
        moments.mean  # noqa: B018
    moments.add(torch.zeros(1))
    with pytest.raises(ValueError, match="two samples or more"):
        moments.deviation  # noqa: B018


@pytest.mark.parametrize(("count", "quantile"), [(4, 2.353), (8, 1.895), (200, 1.6525)])
def test_intervals_of_exact_samples_are_those_of_students_t(count: int, quantile: float) -> None:
    sigma = torch.full((1, 3, 100, 100), 0.2)
    samples, clean = drawn(count, sigma)
    scale = interval_scale(samples, clean)
    assert scale == pytest.approx(quantile * math.sqrt(1 + 1 / count), rel=0.03)
    assert coverage(samples, clean, scale=scale) == pytest.approx(0.9, abs=0.001)
    other_samples, other_clean = drawn(count, sigma, seed=10)
    assert coverage(other_samples, other_clean, scale=scale) == pytest.approx(0.9, abs=0.01)


def test_samples_that_are_half_as_wide_need_twice_the_scale() -> None:
    samples, clean = drawn(50, torch.full((1, 1, 100, 100), 0.2), stretch=0.5)
    assert interval_scale(samples, clean) == pytest.approx(2 * 1.677, rel=0.03)
    normal = torch.distributions.Normal(0.0, 1.0)
    held = 2 * float(normal.cdf(torch.tensor(0.5 * 1.645))) - 1
    assert coverage(samples, clean, scale=1.645) == pytest.approx(held, abs=0.02)


def test_what_is_certain_is_off_by_rounding_at_most() -> None:
    clean = torch.rand(1, 3, 64, 64, generator=rng())
    rounded = (255 * clean).round() / 255
    assert coverage([rounded, rounded], clean, scale=0.5 / 255 / ROUNDING) == 1
    assert interval_scale([rounded, rounded], clean) == pytest.approx(0.9 * 0.5 / 255 / ROUNDING, rel=0.02)


def test_the_correlation_of_blocks_is_that_of_their_noise_levels() -> None:
    """In blocks of one sigma the error and the deviation estimate it; in pixels |error| has its own spread."""
    sigma = (0.02 + 0.2 * torch.rand(1, 1, 40, 40, generator=rng(5))).repeat_interleave(8, -1).repeat_interleave(8, -2)
    samples, clean = drawn(64, sigma)
    pixels, blocks = correlation(samples, clean), correlation(samples, clean, block=8)
    assert blocks > 0.95
    # |e| = sigma |n|: cov(sigma, sigma |n|) = E|n| var(sigma), var(sigma |n|) = E sigma^2 - (E|n| E sigma)^2
    half, variance, square = math.sqrt(2 / math.pi), float(sigma.var()), float(sigma.square().mean())
    expected = half * math.sqrt(variance) / math.sqrt(square - (half * float(sigma.mean())) ** 2)
    assert pixels == pytest.approx(expected, abs=0.03)


def test_samples_that_know_nothing_of_their_error_do_not_correlate() -> None:
    sigma = torch.full((1, 3, 64, 64), 0.1)
    samples, clean = drawn(8, sigma)
    assert abs(correlation(samples, clean)) < 0.05
    assert pearson(torch.ones(4), torch.arange(4.0)) == 0
    assert pearson(torch.arange(4.0), -torch.arange(4.0)) == pytest.approx(-1)


def test_a_root_mean_square_is_over_channels_and_whole_blocks() -> None:
    x = torch.zeros(1, 3, 9, 17)
    x[..., :8, :8] = torch.tensor([1.0, 2.0, 3.0])[None, :, None, None]
    assert_close(root_mean_square(x)[0, 0, 0, 0], torch.tensor(14 / 3).sqrt())
    assert_close(root_mean_square(x, 8), torch.tensor([[[[math.sqrt(14 / 3), 0.0]]]]))


def test_regions_are_damaged_or_intact_and_flat_or_neither() -> None:
    clean = torch.full((1, 3, 40, 60), 0.5)
    clean[..., 40:] += 0.2 * torch.randn(3, 40, 20, generator=rng())
    degraded = clean.clone()
    degraded[..., :20] += 20 / 255
    damaged, flat = regions(degraded, clean)
    middle = slice(8, 32)
    assert bool(damaged[..., middle, 4:16].all()) and not damaged[..., 24:].any()
    assert bool(flat[..., middle, 26:34].all()) and not flat[..., :20].any() and not flat[..., middle, 46:].any()


def test_a_calibration_is_fitted_on_some_pictures_and_tried_on_others() -> None:
    """Pictures of two sizes, half of each damaged and uncertain, the other half flat, intact and certain."""
    pictures = []
    for seed, width in enumerate((64, 96, 64, 96)):
        sigma = torch.full((1, 3, 80, width), 0.1 / 255)
        sigma[..., : width // 2] = 0.1
        samples, clean = drawn(16, sigma, seed=20 + 3 * seed)
        clean, samples = clean - clean + 0.5, samples - clean + 0.5
        degraded = clean.clone()
        degraded[..., : width // 2] += 0.2
        pictures.append((iter(samples), clean, degraded))
    found = calibrate(iter(pictures))
    assert found.count == 4
    assert found.coverage == pytest.approx(0.9, abs=0.02)
    assert found.damaged == pytest.approx(25.5, rel=0.08) and found.flat == pytest.approx(0.1, rel=0.1)
    assert found.deviation == pytest.approx(25.5 / math.sqrt(2), rel=0.05)
    assert found.blocks > 0.95 > found.pixels > 0.5
    assert EXPLAINED.keys() == asdict(found).keys()


def test_what_stays_as_it_was_observed_does_not_count_in_intervals() -> None:
    """Samples that are too narrow in a hole are seen to be so, however large the rest of the picture is."""
    pictures = []
    for seed in (0, 10):
        sigma = torch.zeros(1, 1, 64, 64)
        sigma[..., :16] = 0.1
        samples, clean = drawn(16, sigma, stretch=0.5, seed=seed)
        degraded = clean.clone()
        degraded[..., :16] = 0
        pictures.append((samples, clean, degraded))
    assert calibrate(pictures).scale == pytest.approx(2 * 1.753 * math.sqrt(1 + 1 / 16), rel=0.08)
    with pytest.raises(ValueError, match="leave every value as it was observed"):
        calibrate([(clean.expand(2, *clean.shape), clean, clean)] * 2)


def test_one_picture_is_not_enough() -> None:
    samples, clean = drawn(4, torch.full((1, 1, 16, 16), 0.1))
    with pytest.raises(ValueError, match="two pictures or more"):
        calibrate([(samples, clean, clean)])


def test_a_method_is_measured_on_pictures_that_its_task_damages(pictures) -> None:  # type: ignore[no-untyped-def]
    how = {"task_options": {"sigma": 25}, "steps": 3, "precision": "fp32"}
    walk = Restoration("denoising-sde", "denoise", **how)  # type: ignore[arg-type]
    found, again = (calibrated(walk, pictures, samples=3, limit=2) for _ in range(2))
    assert str(found) == str(again) and found.count == 2  # which may hold NaN
    assert found.damaged > 2 and 0 < found.coverage <= 1
    with pytest.raises(BadOption, match="draws nothing at random"):
        calibrated(Restoration("regression", "denoise"), pictures)
    with pytest.raises(BadOption, match="give two or more"):
        calibrated(walk, pictures, limit=1)


def test_the_command_prints_a_table_or_json(restore, pictures) -> None:  # type: ignore[no-untyped-def]
    how = ("-m", "denoising-sde", "-t", "denoise", "--sigma", 25, "--steps", 2, "--data", pictures, "--limit", 2)
    done = restore("calibrate", *how, "--samples", 2, "--json")
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)
    assert (line["method"], line["realism"], line["samples"], line["count"]) == ("denoising-sde", 1, 2, 2)
    table = restore("calibrate", *how, "--samples", 2)
    assert [row.split("\t")[0] for row in table.stdout.splitlines()[1:]] == [title for title, _ in EXPLAINED.values()]
    named = restore("calibrate", "--weights", "denoising-sde/denoise", *how[4:], "--samples", 2, "--json")
    assert json.loads(named.stdout) == line, "method and task are those of the weights"
    assert load("denoising-sde/denoise").method == "denoising-sde"
    refused = restore("calibrate", "-m", "denoising-ode", *how[2:])
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "name one that does with --sampler" in refused.stderr
