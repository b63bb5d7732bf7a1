"""Files of Noise2Noise: of noise2noise-pytorch by its names, and of the authors' code by theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from restoration import Converted, Part
from restoration.layouts import without_prefix
from restoration_noise2noise.networks import from_tensorflow

if TYPE_CHECKING:
    from torch import Tensor

SHARED = ("_block1.0.weight", "_block2.0.weight", "_block5.4.weight", "_block6.4.weight")
STACK = ("enc_conv0.weight", "enc_conv1.weight", "dec_conv1a.weight", "dec_conv1.weight")
PAPER = "Lehtinen et al. 2018, arXiv:1803.04189"


class PublishedLayout:
    """Recognises the networks of both codes."""

    def convert(self, tensors: Mapping[str, Tensor]) -> Converted | None:
        """Return the network of a file."""
        if any("/" in name for name in tensors):
            tensors = from_tensorflow(without_prefix(tensors, "autoencoder/"))
        state = without_prefix(tensors, "module.")
        if state.keys() >= set(SHARED):
            options: dict[str, object] = {"width": state[SHARED[0]].shape[0]}
            title, name, shown, last = "noise2noise-pytorch", "n2n-unet-shared", SHARED[0], SHARED[-1]
        elif state.keys() >= set(STACK):
            depth = sum(one.startswith("enc_conv") and one.endswith("weight") for one in state) - 2
            options = {"width": state[STACK[0]].shape[0], "depth": depth}
            title, name, shown, last = "Noise2Noise", "n2n-unet", STACK[0], STACK[-1]
        else:
            return None
        inner, outer = state[shown].shape[1], state[last].shape[0]
        if inner != outer or outer not in (1, 3):
            return None
        return Converted(
            title=f"{title}, U-Net of width {options['width']}",
            network=Part(name, options),
            tensors=state,
            method=Part("noise2noise"),
            tasks=("denoise",),
            channels="rgb" if outer == 3 else "y",
            source=PAPER,
        )

    def names(self) -> Mapping[str, Collection[str]]:
        """Return the names by which each network is recognised."""
        return {"noise2noise-pytorch": SHARED, "Noise2Noise": STACK}
