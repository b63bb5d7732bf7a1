"""Files of DeblurGAN-v2, by the names of their tensors."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import torch

from restoration import Converted, Part
from restoration.layouts import without_prefix
from restoration_timm.deblurgan import DeblurGANv2

if TYPE_CHECKING:
    from torch import Tensor

UNUSED = re.compile(
    r"fpn\.enc\d\..*"  # the same tensors as those of the known network, once more
    r"|fpn\.features\.(16|17|18)\..*|fpn\.inception\.(repeat_2|block8|conv2d_7b|last_linear)\..*"
    r"|.*\.(running_mean|running_var|num_batches_tracked)"
)
"""Tensors of a file that no answer depends on: its network restores with the statistics of the picture at hand."""


class DeblurGANv2Layout:
    """Recognises the generators of DeblurGAN-v2 over MobileNetV2 and Inception-ResNet-v2."""

    def convert(self, tensors: Mapping[str, Tensor]) -> Converted | None:
        """Return the network of a file."""
        state = without_prefix(tensors, "module.")
        if not {"fpn.lateral0.weight", "fpn.td1.0.weight", "head4.block1.weight", "final.weight"} <= state.keys():
            return None
        mobile = "fpn.features.0.0.weight" in state
        if not mobile and "fpn.inception.conv2d_1a.conv.weight" not in state:
            return None
        width, channels = state["head4.block1.weight"].shape[0], state["final.weight"].shape[0]
        options: dict[str, Any] = {"backbone": "mobilenet" if mobile else "inception"}
        options |= {"width": width} if width != (64 if mobile else 128) else {}
        return Converted(
            title=f"DeblurGAN-v2 over {'MobileNetV2' if mobile else 'Inception-ResNet-v2'}",
            network=Part("deblurgan-v2", options),
            tensors={name: value for name, value in state.items() if not UNUSED.fullmatch(name)},
            tasks=("deblur",),
            channels="rgb" if channels == 3 else "y",
            source="Kupyn et al. 2019, arXiv:1908.03826",
        )

    def names(self) -> Mapping[str, Collection[str]]:
        """Return the names of the tensors of the smaller of the two networks."""
        with torch.random.fork_rng(devices=[]):
            return {"DeblurGAN-v2 over MobileNetV2": list(DeblurGANv2().state_dict())}
