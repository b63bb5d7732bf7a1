"""Files of plain chains of convolutions, DnCNN and FFDNet, in the forms that they are published in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from restoration import Converted, Part

if TYPE_CHECKING:
    from torch import Tensor

NAMES = re.compile(r"(?P<stem>(?:dncnn\.)+|model\.|layers?\.|)(?P<place>\d+)\.(?P<tensor>[a-z_]+)")
"""The names of a chain: of BUIFD, `dncnn.dncnn.3.weight`, of SaoYan, `dncnn.3.weight`, of KAIR, `model.3.weight`."""

Layers = list[dict[str, "Tensor"]]


def layers_of(state: Mapping[str, Tensor]) -> Layers | None:
    """Return the layers of a chain in their order, each by the names of its tensors; None for what is no chain."""
    found: dict[int, dict[str, Tensor]] = {}
    stems = set()
    for name, value in state.items():
        parts = NAMES.fullmatch(name)
        if parts is None:
            return None
        stems.add(parts["stem"])
        found.setdefault(int(parts["place"]), {})[parts["tensor"]] = value
    layers = [found[place] for place in sorted(found)]
    if len(stems) != 1 or len(layers) < 2 or any("weight" not in layer for layer in layers):
        return None
    convolutions = [layer["weight"] for layer in layers if layer["weight"].ndim == 4]
    if any(one.shape[-2:] != (3, 3) for one in convolutions) or len(convolutions) < 2:
        return None
    return layers


def dncnn(state: Mapping[str, Tensor]) -> Converted | None:
    """Return a DnCNN: of as many channels as it predicts the noise of, with batch norms or without.

    Biases that a file does not have are zero, but for the last convolution: whether that has one is an option.
    """
    layers = layers_of(state)
    if layers is None or layers[0]["weight"].ndim != 4 or layers[-1]["weight"].ndim != 4:
        return None
    width, channels = layers[0]["weight"].shape[:2]
    if channels not in (1, 3) or layers[-1]["weight"].shape[0] != channels:
        return None
    norms = [layer for layer in layers if layer["weight"].ndim == 1]
    convolutions = [layer for layer in layers if layer["weight"].ndim == 4]
    if norms and (len(norms) != len(convolutions) - 2 or any("running_var" not in norm for norm in norms)):
        return None
    ending = "bias" in convolutions[-1]
    options: dict[str, Any] = {"depth": len(convolutions), "batch_norm": bool(norms), "ending_bias": ending}
    options |= {"width": width} if width != 64 else {}
    options |= {"each_channel": True} if channels == 1 else {}
    kind = ", grey" if channels == 1 else ""
    return Converted(
        title=f"DnCNN of {len(convolutions)} layers{kind}",
        network=Part("dncnn", options),
        tensors=_renamed(layers, bool(norms), ending=ending),
        tasks=("denoise",),
        source="Zhang et al. 2017, arXiv:1608.03981",
    )


def _renamed(layers: Layers, norms: bool, *, ending: bool) -> dict[str, Tensor]:
    """Return the tensors of a DnCNN by the names of our network: convolution, norm and ReLU after one another.

    Our first convolution has a bias, the last one if `ending`, those between if no norms follow them.
    """
    named: dict[str, Tensor] = {}
    blocks = _blocks(layers)
    for number, (convolution, norm) in enumerate(blocks):
        place = 3 * number - 1 if norms and number else 2 * number
        biased = number == 0 or (ending if number == len(blocks) - 1 else not norms)
        tensors = dict(convolution)
        bias = tensors.pop("bias", None)
        if biased:
            tensors["bias"] = torch.zeros(tensors["weight"].shape[0]) if bias is None else bias
        named |= {f"dncnn.{place}.{name}": value for name, value in tensors.items()}
        if norm is not None:
            tensors = {"num_batches_tracked": torch.tensor(0), **norm}
            if bias is not None and not biased:
                tensors["running_mean"] = norm["running_mean"] - bias  # a bias before a norm is a shift of its mean
            named |= {f"dncnn.{place + 1}.{name}": value for name, value in tensors.items()}
    return named


def _blocks(layers: Layers) -> list[tuple[dict[str, Tensor], dict[str, Tensor] | None]]:
    """Return each convolution with the norm that follows it, None for those without; the first layer is one."""
    blocks: list[tuple[dict[str, Tensor], dict[str, Tensor] | None]] = []
    for layer in layers:
        if layer["weight"].ndim == 4:
            blocks.append((layer, None))
        else:
            blocks[-1] = (blocks[-1][0], layer)
    return blocks


def ffdnet(state: Mapping[str, Tensor]) -> Converted | None:
    """Return an FFDNet, which is given the level of the noise: on the schedule whose time is that noise."""
    layers = layers_of(state)
    if layers is None or any(layer["weight"].ndim != 4 or "bias" not in layer for layer in layers):
        return None
    width, inner = layers[0]["weight"].shape[:2]
    outer = layers[-1]["weight"].shape[0]
    if outer not in (4, 12) or inner != outer + 1:
        return None
    channels = outer // 4
    options: dict[str, Any] = {"width": width, "depth": len(layers)} if (width, len(layers)) != (96, 12) else {}
    options |= {"each_channel": True} if channels == 1 else {}
    return Converted(
        title=f"FFDNet of {len(layers)} layers{', grey' if channels == 1 else ''}",
        network=Part("ffdnet", options),
        tensors={
            f"model.{2 * place}.{name}": value for place, layer in enumerate(layers) for name, value in layer.items()
        },
        tasks=("denoise",),
        method=Part("denoising-ode", {"steps": 1}),
        schedule=Part("noise-level"),
        objective=Part("clean-matching"),
        source="Zhang et al. 2018, arXiv:1710.04026",
    )
