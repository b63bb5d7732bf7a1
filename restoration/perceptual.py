"""How alike do two pictures look: GMSD, HaarPSI, LPIPS, and FID of two sets. Nothing is downloaded.

All take `1 c h w` in [0, 1]. What needs a package or a trunk of weights that is not here says so in one line.
"""

from __future__ import annotations

import hashlib
import shlex
import warnings
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange, reduce

from restoration.errors import BadOption

if TYPE_CHECKING:
    from torch import Tensor

EXTRA = "pip install 'restoration-toolbox[score]'"


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """A network that others trained; `file` is its name in torch's cache and ends in the begin of its SHA-256."""

    title: str
    file: str
    url: str
    megabytes: int

    def find(self, metric: str) -> Path:
        """Return its path. Raises `BadOption` with the command that fetches it, and if the file is another one."""
        path = Path(torch.hub.get_dir()) / "checkpoints" / self.file
        fetch = f"curl -fL --create-dirs -o {shlex.quote(str(path))} {self.url}"
        if not path.is_file():
            raise BadOption(
                f"metric {metric!r} needs the weights of {self.title} ({self.megabytes} MB), which are not in torch's "
                f"cache and are not downloaded unasked; fetch them with: {fetch}"
            )
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if not digest.startswith(path.stem.rpartition("-")[2]):
            raise BadOption(f"{path} is damaged, its SHA-256 begins {digest[:8]}; fetch it again with: {fetch}")
        return path


ALEXNET = Trunk(
    title="AlexNet",
    file="alexnet-owt-7be5be79.pth",
    url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    megabytes=244,
)
INCEPTION = Trunk(
    title="Inception-v3",
    file="pt_inception-2015-12-05-6726825d.pth",
    url="https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    megabytes=96,
)


def package(name: str, metric: str) -> Any:
    """Import a package of the extra `score`. Raises `BadOption` with the command that installs it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise BadOption(f"metric {metric!r} needs the package {name}; install it with: {EXTRA}") from error


class Gmsd:
    """Gradient magnitude similarity deviation (Xue et al., 2014), by piq; 0 for equal pictures, less is better."""

    def __init__(self) -> None:
        self.piq = package("piq", "gmsd")

    def __call__(self, image: Tensor, clean: Tensor) -> float:
        """Return the deviation for `1 c h w`."""
        return float(self.piq.gmsd(image, clean, data_range=1.0))


class HaarPsi:
    """Haar wavelet-based perceptual similarity (Reisenhofer et al., 2018), by piq; 1 for equal pictures."""

    def __init__(self) -> None:
        self.piq = package("piq", "haarpsi")

    def __call__(self, image: Tensor, clean: Tensor) -> float:
        """Return the similarity for `1 c h w`, at least 16 pixels a side."""
        return float(self.piq.haarpsi(image, clean, data_range=1.0))


class Lpips:
    """Learned perceptual similarity, AlexNet, version 0.1 (Zhang et al., 2018); 0 for equal pictures, less is better.

    The trunk is torchvision's, from torch's cache; the weights of its channels are those of the package `lpips`.
    """

    ENDS = (1, 4, 7, 9, 11)
    """Places of the five rectified layers whose features are compared."""
    SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)

    def __init__(self) -> None:
        spec = find_spec("lpips")
        if spec is None or not spec.submodule_search_locations:
            raise BadOption(f"metric 'lpips' needs the package lpips; install it with: {EXTRA}")
        heads = Path(next(iter(spec.submodule_search_locations))) / "weights" / "v0.1" / "alex.pth"
        read = torch.load(heads, map_location="cpu", weights_only=True)
        self.heads = [read[f"lin{layer}.model.1.weight"] for layer in range(len(self.ENDS))]
        trunk = torch.load(ALEXNET.find("lpips"), map_location="cpu", weights_only=True)
        with torch.device("meta"):
            self.layers = (
                import_module("torchvision.models").AlexNet().features[: self.ENDS[-1] + 1].requires_grad_(False).eval()
            )
        known = {name.removeprefix("features."): value for name, value in trunk.items() if name.startswith("features.")}
        self.layers.load_state_dict(known, assign=True)

    @torch.inference_mode()
    def __call__(self, image: Tensor, clean: Tensor) -> float:
        """Return the distance for `1 c h w`, at least 31 pixels a side."""
        distance = 0.0
        for head, first, second in zip(self.heads, self._features(image), self._features(clean), strict=True):
            distance += float(reduce(head * (first - second) ** 2, "b c h w -> b h w", "sum").mean())
        return distance

    def _features(self, image: Tensor) -> list[Tensor]:
        """Return the features `1 c h w` of each of the five layers, of length 1 at every place."""
        shift, scale = (rearrange(torch.tensor(value), "c -> 1 c 1 1") for value in (self.SHIFT, self.SCALE))
        state = (2 * coloured(image) - 1 - shift) / scale
        found = []
        for place, layer in enumerate(self.layers):
            state = layer(state)
            if place in self.ENDS:
                found.append(state / (state.square().sum(dim=1, keepdim=True).sqrt() + 1e-10))
        return found


class Inception:
    """The features that FID compares: the last mean of Inception-v3 of 2015, as piq builds it, from torch's cache."""

    def __init__(self) -> None:
        package("piq", "fid")
        INCEPTION.find("fid")
        with warnings.catch_warnings():  # how it builds its network is old style to torchvision
            warnings.simplefilter("ignore")
            self.network = import_module("piq.feature_extractors").InceptionV3().eval()

    @torch.inference_mode()
    def __call__(self, image: Tensor) -> Tensor:
        """Return the 2048 features of `1 c h w`, enlarged or reduced to 299x299 bilinearly."""
        features: Tensor = rearrange(self.network(coloured(image))[0], "1 c 1 1 -> c")
        return features


def coloured(image: Tensor) -> Tensor:
    """Return `1 3 h w` in single precision for `1 c h w`."""
    return image.float().expand(-1, 3, -1, -1)


def frechet(first: Tensor, second: Tensor) -> float:
    """Return the squared Fréchet distance of the normal distributions with the moments of two sets, `n d` and `m d`.

    |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), in float64 (Heusel et al., 2017, equation 6). With Σ = RᵀR the trace of the
    root is the sum of the singular values of R₁R₂ᵀ, which needs no root of a singular matrix. Fewer than two pictures
    have no covariance: NaN.
    """
    if min(len(first), len(second)) < 2:
        return float("nan")
    means, roots = [], []
    for features in (first.double(), second.double()):
        means.append(features.mean(dim=0))
        roots.append(torch.linalg.qr((features - means[-1]) / (len(features) - 1) ** 0.5, mode="r").R)
    cross = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()
    spread = roots[0].square().sum() + roots[1].square().sum()
    return float((means[0] - means[1]).square().sum() + spread - 2 * cross)
