"""Files of deblurring networks, DeblurGAN, DeepDeblur and DBGAN, by the names of their tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from restoration import Converted, Part
from restoration_comparators.options import without_defaults

if TYPE_CHECKING:
    from torch import Tensor

Tensors = Mapping[str, "Tensor"]

COUNTED = re.compile(r"running_mean|running_var|num_batches_tracked")
"""Tensors of norms that count pictures in training; the published code does not use them."""


def deblurgan(state: Tensors) -> Converted | None:
    """Return the generator of DeblurGAN, with the dropout of its training or without."""
    blocks = len({found[1] for name in state if (found := re.match(r"model\.(\d+)\.conv_block\.1\.weight", name))})
    ends = [f"model.{place}.weight" for place in (1, 4, 7, 10 + blocks, 13 + blocks, 17 + blocks)]
    if not blocks or not set(ends) <= state.keys() or state[ends[0]].shape[-1] != 7:
        return None
    width, channels = state[ends[0]].shape[0], state[ends[-1]].shape[0]
    named = {re.sub(r"(conv_block)\.6\.", r"\1.5.", name): value for name, value in state.items()}  # after a dropout
    options = without_defaults({"width": width, "blocks": blocks}, width=64, blocks=9)
    return _deblurring(
        f"DeblurGAN of {blocks} blocks",
        Part("deblurgan", options),
        {name: value for name, value in named.items() if not COUNTED.fullmatch(name.rpartition(".")[2])},
        "Kupyn et al. 2018, arXiv:1711.07064",
        channels,
    )


def deepdeblur(state: Tensors) -> Converted | None:
    """Return a DeepDeblur of its authors' code for PyTorch."""
    scales = len({name.split(".")[1] for name in state if name.startswith("body_models.")})
    if "body_models.0.body.0.weight" not in state or "body_models.0.body.1.body.0.weight" not in state:
        return None
    width, _, kernel, _ = state["body_models.0.body.0.weight"].shape
    blocks = len({name for name in state if re.fullmatch(r"body_models\.0\.body\.\d+\.body\.0\.weight", name)})
    channels = state[f"body_models.0.body.{blocks + 1}.weight"].shape[0]
    found = {"width": width, "blocks": blocks, "kernel": kernel, "scales": scales}
    options = without_defaults(found, width=64, blocks=19, kernel=5, scales=3)
    network = Part("deepdeblur", options)
    source = "Nah et al. 2017, arXiv:1612.02177"
    return _deblurring(f"DeepDeblur of {scales} sizes", network, state, source, channels)


def dbgan(state: Tensors) -> Converted | None:
    """Return DBGAN's generator for deblurring."""
    needed = {"model.0.weight", "model.1.sub1.0.RDB1.conv1.0.weight", "model.1.sub2.0.weight", "model.4.weight"}
    if not needed <= state.keys():
        return None
    blocks = len({name.split(".")[3] for name in state if name.startswith("model.1.sub1.")})
    options = without_defaults({"width": state["model.0.weight"].shape[0], "blocks": blocks}, width=64, blocks=16)
    source = "Zhang et al. 2020, arXiv:2004.01860"
    return _deblurring("DBGAN", Part("dbgan", options), state, source, state["model.4.weight"].shape[0])


def _deblurring(title: str, network: Part, state: Tensors, source: str, channels: int) -> Converted:
    kind = ", grey" if channels == 1 else ""
    return Converted(
        title=title + kind,
        network=network,
        tensors=state,
        tasks=("deblur",),
        channels="rgb" if channels == 3 else "y",
        source=source,
    )
