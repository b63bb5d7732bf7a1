"""GMSD, HaarPSI, LPIPS and FID against other implementations, and what is said where something is missing."""

from __future__ import annotations

import hashlib
import math
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from einops import reduce
from restoration_perceptual import frechet as fid
from restoration_perceptual import learned, trunks
from restoration_perceptual.frechet import frechet
from restoration_perceptual.trunks import Trunk
from scipy import linalg, ndimage
from torch import Generator, Tensor

from restoration import BadOption, testing
from restoration.scoring.measures import choose


def pair(height: int = 96, width: int = 80) -> tuple[Tensor, Tensor]:
    """Return a picture of soft spots and a noisy one, `1 3 h w` each."""
    rng = Generator().manual_seed(0)
    coarse = torch.rand(1, 3, height // 8, width // 8, generator=rng)
    x = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return x, (x + 0.1 * torch.randn(x.shape, generator=rng)).clamp(0, 1)


def one(name: str, image: Tensor, clean: Tensor) -> float:
    """Measure by name."""
    (measure,) = choose([name])
    assert measure.of is not None
    return measure.of(image, clean)


def gmsd_of_the_paper(image: Tensor, clean: Tensor) -> float:
    """GMSD as Xue et al. write it: levels of 255, halved by means, Prewitt / 3, T = 170."""
    gradients = []
    for picture in (image, clean):
        luma = torch.einsum("bchw,c->hw", picture.double(), torch.tensor([0.299, 0.587, 0.114]).double()) * 255
        half = reduce(luma, "(h 2) (w 2) -> h w", "mean").numpy()
        across, down = (ndimage.prewitt(half, axis=axis, mode="constant") / 3 for axis in (0, 1))
        gradients.append((across**2 + down**2) ** 0.5)
    first, second = gradients
    return float(((2 * first * second + 170) / (first**2 + second**2 + 170)).std())


def test_gmsd_is_that_of_the_paper() -> None:
    x, y = pair()
    assert one("gmsd", y, x) == pytest.approx(gmsd_of_the_paper(y, x), abs=1e-4)


@pytest.mark.parametrize(("name", "perfect"), [("gmsd", 0), ("haarpsi", 1)])
def test_equal_pictures_are_perfect_and_noise_makes_it_worse_step_by_step(name: str, perfect: float) -> None:
    x, y = pair()
    little = x + 0.2 * (y - x)
    assert one(name, x, x) == pytest.approx(perfect, abs=1e-4)
    assert abs(one(name, little, x) - perfect) < abs(one(name, y, x) - perfect)
    (measure,) = choose([name])
    assert measure.less_is_better == (perfect == 0)
    assert measure.how.startswith(f"{measure.title} by piq 0.")


class TestGmsd(testing.MetricContract):
    name = "gmsd"


class TestHaarPsi(testing.MetricContract):
    name = "haarpsi"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torch."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def kept(trunk: Trunk, weights: dict[str, Tensor], cache: Path) -> Trunk:
    """Save weights in the cache under the name that their digest asks for; return the trunk that is called so."""
    torch.save(weights, cache / trunk.file)
    digest = hashlib.sha256((cache / trunk.file).read_bytes()).hexdigest()[:8]
    named = replace(trunk, file=f"{trunk.file.rpartition('-')[0]}-{digest}.pth")
    (cache / named.file).symlink_to(cache / trunk.file)
    return named


def test_lpips_agrees_with_its_authors_code(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lpips

        theirs = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).requires_grad_(False)
    names = {name: value for name, value in theirs.net.state_dict().items() if name.startswith("slice")}
    trunk = {f"features.{name.partition('.')[2]}": value for name, value in names.items()}
    monkeypatch.setattr(learned, "ALEXNET", kept(trunks.ALEXNET, trunk, cache))
    (measure,) = choose(["lpips"])
    assert measure.of is not None
    x, y = pair()
    assert measure.of(y, x) == pytest.approx(float(theirs(y, x, normalize=True)), rel=1e-5)
    assert measure.of(x, x) == 0
    grey = x[:, :1], y[:, :1]
    expected = float(theirs(*(image.expand(-1, 3, -1, -1) for image in grey), normalize=True))
    assert measure.of(*grey) == pytest.approx(expected, rel=1e-5)
    assert math.isfinite(measure.of(x[..., :31, :31], y[..., :31, :31])), "the smallest that it takes"


def test_fid_compares_the_features_of_sets(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    from torchvision.models import Inception3

    weights = Inception3(num_classes=1008, aux_logits=False, init_weights=False).state_dict()
    monkeypatch.setattr(fid, "INCEPTION", kept(trunks.INCEPTION, weights, cache))
    (measure,) = choose(["fid"])
    assert measure.of is None and measure.features is not None and measure.distance is not None
    x, y = pair()
    clean = torch.stack([measure.features(image) for image in (x, x.flip(-1), x[:, :1])])
    noisy = torch.stack([measure.features(image) for image in (y, y.flip(-1), y[:, :1])])
    assert clean.shape == (3, 2048)
    assert measure.distance(clean, clean) == pytest.approx(0, abs=1e-6)
    assert measure.distance(noisy, clean) > 0


def test_the_distance_of_two_sets_is_that_of_their_normal_distributions() -> None:
    rng = Generator().manual_seed(0)
    first = torch.randn(40, 6, generator=rng, dtype=torch.float64) @ torch.randn(6, 6, generator=rng).double()
    second = torch.randn(50, 6, generator=rng, dtype=torch.float64) + 1
    one, two = torch.cov(first.T).numpy(), torch.cov(second.T).numpy()
    means = float((first.mean(0) - second.mean(0)).square().sum())
    expected = means + (one + two - 2 * linalg.sqrtm(one @ two).real).trace()
    assert frechet(first, second) == pytest.approx(expected)
    assert frechet(first, first) == pytest.approx(0, abs=1e-9)
    assert frechet(first + 2, first) == pytest.approx(6 * 4), "a shift is its own square"
    assert frechet(3 * first, first) == pytest.approx(4 * one.trace() + float((2 * first.mean(0)).square().sum()))


def test_fewer_pictures_than_features_still_have_a_distance_and_a_single_one_has_none() -> None:
    rng = Generator().manual_seed(1)
    few = torch.randn(4, 300, generator=rng)
    assert frechet(few, few) == pytest.approx(0, abs=1e-6)
    assert frechet(few + 1, few) == pytest.approx(300, rel=1e-6)
    assert math.isnan(frechet(few[:1], few[:1]))


@pytest.mark.parametrize(("name", "trunk"), [("lpips", trunks.ALEXNET), ("fid", trunks.INCEPTION)])
def test_missing_weights_are_named_with_the_command_that_fetches_them(name: str, trunk: Trunk, cache: Path) -> None:
    with pytest.raises(BadOption) as error:
        choose([name])
    text = str(error.value)
    assert f"metric '{name}' needs the weights of {trunk.title}" in text
    assert text.endswith(f"curl -fL --create-dirs -o {cache / trunk.file} {trunk.url}")
    assert "\n" not in text
    assert list(cache.iterdir()) == [], "nothing was downloaded"


def test_weights_that_are_not_those_are_refused(cache: Path) -> None:
    (cache / trunks.ALEXNET.file).write_bytes(b"half of it")
    with pytest.raises(
        BadOption, match=r"alexnet-owt-7be5be79.pth is damaged, its SHA-256 begins \w{8}; fetch it again"
    ):
        trunks.ALEXNET.find("lpips")
