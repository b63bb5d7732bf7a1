"""How far two pictures are apart in features rather than in pixels. Nothing is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from restoration import BadOption
from restoration_dip.fast.padding import grown

if TYPE_CHECKING:
    from collections.abc import Callable

Features = Literal["vgg16", "vgg19", "vgg16-random", "laplacian"]

HUB = {"vgg16": ("timm/vgg16.tv_in1k", 553), "vgg19": ("timm/vgg19.tv_in1k", 575)}
"""Where timm's weights are on the Hub, and their megabytes."""
FILE = "model.safetensors"
TAPS = (1, 4, 6, 4, 1)
"""Of the blur before a size is halved, times 16."""


class Perceptual:
    """A distance between the features of two pictures, one number.

    `vgg16` and `vgg19` are the mean squared difference of relu2_2 and relu3_3, each by its mean (Johnson et al., ECCV
    2016, arXiv:1603.08155), with the weights of ImageNet. `vgg16-random` is the same with weights that nothing was
    learnt with. `laplacian` needs no network: the mean absolute difference of the bands of a Laplacian pyramid
    (Bojanowski et al., ICML 2018, arXiv:1707.05776), which knows edges of several sizes and nothing else.
    """

    def __init__(self, *, features: Features = "vgg16") -> None:
        self.features = features
        self.extract = bands if features == "laplacian" else VGG(features)
        self.distance = functional.l1_loss if features == "laplacian" else functional.mse_loss

    def toward(self, target: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the distance of pictures, `b c h w`, from the `target`, whose features are computed once."""
        if isinstance(self.extract, nn.Module):
            self.extract.to(target.device)
        with torch.no_grad():
            wanted = [one.float() for one in self.extract(target)]

        def distance(x: Tensor) -> Tensor:
            apart = [self.distance(one.float(), other) for one, other in zip(self.extract(x), wanted, strict=True)]
            return torch.stack(apart).mean()

        return distance


class VGG(nn.Module):
    """The features relu2_2 and relu3_3 of VGG (Simonyan and Zisserman, arXiv:1409.1556), as timm builds it.

    Raises `BadOption` if its weights are not in the Hub's cache, with the command that fetches them.
    """

    ENDS = (8, 15)
    """Places of relu2_2 and relu3_3, the same in both networks."""
    MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    SMALLEST = 4
    """Pixels a side: its size is halved twice."""
    mean: Tensor
    std: Tensor

    def __init__(self, features: Literal["vgg16", "vgg19", "vgg16-random"]) -> None:
        super().__init__()
        name, _, random = features.partition("-")
        path = None if random else cached(name)
        import timm

        with torch.device("meta"):
            whole = timm.create_model(name, pretrained=False)
        self.layers: nn.Sequential = whole.get_submodule("features")[: self.ENDS[-1] + 1]  # type: ignore[index]
        if path is None:
            self._draw()
        else:
            self._load(path, name)
        self.requires_grad_(False)
        for part, numbers in (("mean", self.MEAN), ("std", self.STD)):
            self.register_buffer(part, rearrange(torch.tensor(numbers), "c -> 1 c 1 1"))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features, `b 128 h/2 w/2` and `b 256 h/4 w/4`, of pictures in [0, 1], grey or coloured."""
        state = (grown(x, self.SMALLEST).expand(-1, 3, -1, -1) - self.mean) / self.std
        found = []
        for place, layer in enumerate(self.layers):
            state = functional.relu(state) if isinstance(layer, nn.ReLU) else layer(state)  # its own is in place
            if place in self.ENDS:
                found.append(state)
        return found

    def _draw(self) -> None:
        """Give it weights of its own, the same every time, that keep the size of features (He et al., 2015)."""
        rng = torch.Generator().manual_seed(0)
        self.layers.to_empty(device="cpu")
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=rng)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def _load(self, path: str, name: str) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                weights = {key: file.get_tensor(f"features.{key}") for key in self.layers.state_dict()}
            self.layers.load_state_dict(weights, assign=True)
        except (OSError, SafetensorError, RuntimeError) as error:
            fetch = f"hf download --force-download {HUB[name][0]} {FILE}"
            raise BadOption(f"{path} does not hold the weights of {name}; fetch them again with: {fetch}") from error


def cached(name: str) -> str:
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


def bands(x: Tensor, levels: int = 5) -> list[Tensor]:
    """Split `b c h w` into what each of up to `levels` sizes has that half of it has not, and what is left (a pyramid).

    Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983; enlarged bilinearly.
    """
    found = []
    for _ in range(levels):
        if min(x.shape[-2:]) < 2:
            break
        small = _halved(_halved(x).mT).mT
        found.append(x - functional.interpolate(small, x.shape[-2:], mode="bilinear", align_corners=False))
        x = small
    return [*found, x]


def _halved(x: Tensor) -> Tensor:
    """Blur along the rows of `b c h w` and keep every other pixel of them."""
    padded = functional.pad(x, (2, 2, 0, 0), mode="replicate")
    return torch.stack([tap / 16 * padded[..., i : i + x.shape[-1] : 2] for i, tap in enumerate(TAPS)]).sum(dim=0)
