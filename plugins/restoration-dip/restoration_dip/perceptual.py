"""The distance of two pictures in features instead of pixels. Nothing is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from restoration import BadOption, RestorationError
from restoration.differences import DifferentiableMetric, differentiable
from restoration_dip.fast.padding import pad_to_size

if TYPE_CHECKING:
    from collections.abc import Callable

Features = Literal["vgg16", "vgg19", "vgg16-random", "efficientnet-lite0", "laplacian"]

HUB = {"vgg16": ("timm/vgg16.tv_in1k", 553), "vgg19": ("timm/vgg19.tv_in1k", 575)}
"""The repositories of timm's weights on the Hub, and their sizes in megabytes."""
FILE = "model.safetensors"
"""The name of the file of weights in a repository."""
TAPS = (1, 4, 6, 4, 1)
"""The filter that blurs before a size is halved, multiplied by 16."""


class Perceptual:
    """The distance between the `features` of two pictures, one number.

    * "vgg16", "vgg19": the mean squared difference of relu2_2 and of relu3_3, averaged (Johnson et al., ECCV 2016,
      arXiv:1603.08155), with weights trained on ImageNet.
    * "vgg16-random": the same with random weights.
    * "efficientnet-lite0": the metric `features` of restoration-perceptual, of EfficientNet-Lite0, with weights trained
      on ImageNet that a package holds.
    * "laplacian": the mean absolute difference of the bands of a Laplacian pyramid (Bojanowski et al., ICML 2018,
      arXiv:1707.05776). It needs no network, and compares edges of several sizes.
    """

    def __init__(self, *, features: Features = "vgg16") -> None:
        self.features = features
        self.distance = functional.l1_loss if features == "laplacian" else functional.mse_loss
        self.metric: DifferentiableMetric | None = None
        self.extract: Callable[[Tensor], list[Tensor]] = laplacian_pyramid
        if features == "efficientnet-lite0":
            self.metric = learned()
        elif features != "laplacian":
            self.extract = VGG(features)

    def distance_to(self, target: Tensor) -> Callable[[Tensor], Tensor]:
        """Return a function from pictures `b c h w` to their distance from `target`; its features are computed once."""
        if self.metric is not None:
            return self.metric.distance_to(target)
        if isinstance(self.extract, nn.Module):
            self.extract.to(target.device)
        with torch.no_grad():
            targets = [one.float() for one in self.extract(target)]

        def distance(x: Tensor) -> Tensor:
            distances = [self.distance(one.float(), other) for one, other in zip(self.extract(x), targets, strict=True)]
            return torch.stack(distances).mean()

        return distance


class VGG(nn.Module):
    """The features relu2_2 and relu3_3 of VGG (Simonyan and Zisserman, arXiv:1409.1556), as timm builds it.

    Raises `BadOption` if its weights are not in the Hub's cache, with the command that fetches them.
    """

    ENDS = (8, 15)
    """The indices of relu2_2 and relu3_3 among the layers, the same in both networks."""
    MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    """The mean and standard deviation of the pictures of ImageNet."""
    SMALLEST = 4
    """A side has at least so many pixels, since it is halved twice."""
    mean: Tensor
    std: Tensor

    def __init__(self, features: Literal["vgg16", "vgg19", "vgg16-random"]) -> None:
        super().__init__()
        name, _, random = features.partition("-")
        path = None if random else find_cached(name)
        import timm

        with torch.device("meta"):
            whole = timm.create_model(name, pretrained=False)
        self.layers: nn.Sequential = whole.get_submodule("features")[: self.ENDS[-1] + 1]  # type: ignore[index]
        if path is None:
            self._draw_weights()
        else:
            self._load_weights(path, name)
        self.requires_grad_(False)
        for part, numbers in (("mean", self.MEAN), ("std", self.STD)):
            self.register_buffer(part, rearrange(torch.tensor(numbers), "c -> 1 c 1 1"))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features, `b 128 h/2 w/2` and `b 256 h/4 w/4`, of pictures in [0, 1], grey or coloured."""
        state = (pad_to_size(x, self.SMALLEST).expand(-1, 3, -1, -1) - self.mean) / self.std
        found = []
        for index, layer in enumerate(self.layers):
            state = functional.relu(state) if isinstance(layer, nn.ReLU) else layer(state)  # its own works in place
            if index in self.ENDS:
                found.append(state)
        return found

    def _draw_weights(self) -> None:
        """Draw weights, always the same ones, that keep the scale of the features (He et al., 2015)."""
        rng = torch.Generator().manual_seed(0)
        self.layers.to_empty(device="cpu")
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=rng)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def _load_weights(self, path: str, name: str) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                weights = {key: file.get_tensor(f"features.{key}") for key in self.layers.state_dict()}
            self.layers.load_state_dict(weights, assign=True)
        except (OSError, SafetensorError, RuntimeError) as error:
            fetch = f"hf download --force-download {HUB[name][0]} {FILE}"
            raise BadOption(f"{path} does not hold the weights of {name}; fetch them again with: {fetch}") from error


def learned() -> DifferentiableMetric:
    """Return the metric `features`. Raises `BadOption` if it is not installed, or not what it needs."""
    try:
        return differentiable("features")
    except RestorationError as error:
        text = f"features 'efficientnet-lite0' are a metric of restoration-perceptual: {error}"
        raise BadOption(f"{text}, or choose features=laplacian") from error


def find_cached(name: str) -> str:
    """Return the path of a network's weights in the Hub's cache. Raises `BadOption` if they are not there."""
    from huggingface_hub import try_to_load_from_cache

    repository, megabytes = HUB[name]
    path = try_to_load_from_cache(repository, FILE)
    if not isinstance(path, str):
        raise BadOption(
            f"features {name!r} need the weights {repository} ({megabytes} MB), which are not in the Hub's cache and "
            f"are not downloaded unasked; fetch them with: hf download {repository} {FILE} or choose features=laplacian"
        )
    return path


def laplacian_pyramid(x: Tensor, levels: int = 5) -> list[Tensor]:
    """Split `b c h w` into up to `levels` bands, each half the size of the one before, and the smallest picture.

    A band is the difference of a picture and its half-size copy, enlarged bilinearly (Burt and Adelson, "The Laplacian
    Pyramid as a Compact Image Code", 1983).
    """
    found = []
    for _ in range(levels):
        if min(x.shape[-2:]) < 2:
            break
        small = _halve_width(_halve_width(x).mT).mT
        found.append(x - functional.interpolate(small, x.shape[-2:], mode="bilinear", align_corners=False))
        x = small
    return [*found, x]


def _halve_width(x: Tensor) -> Tensor:
    """Blur `b c h w` along its rows, and keep every other pixel of each."""
    padded = functional.pad(x, (2, 2, 0, 0), mode="replicate")
    return torch.stack([tap / 16 * padded[..., i : i + x.shape[-1] : 2] for i, tap in enumerate(TAPS)]).sum(dim=0)
