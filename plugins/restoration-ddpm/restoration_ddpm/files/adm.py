"""Files of guided-diffusion and improved-diffusion (OpenAI): the form of their U-Net, and what their flags were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from restoration import BadWeights, Converted, Part
from restoration_ddpm.files.paths import METHOD, objective, path
from restoration_ddpm.files.tensors import count, letters, multiples, without_variance

if TYPE_CHECKING:
    from torch import Tensor

NAMES = (
    "time_embed.0.weight",
    "time_embed.2.weight",
    "input_blocks.0.0.weight",
    "input_blocks.1.0.in_layers.2.weight",
    "input_blocks.1.0.emb_layers.1.weight",
    "middle_block.0.in_layers.2.weight",
    "middle_block.1.qkv.weight",
    "middle_block.2.in_layers.2.weight",
    "output_blocks.0.0.in_layers.2.weight",
    "out.0.weight",
    "out.2.weight",
)
"""What every form has."""
SMALLEST = 8
"""The size of the smallest level of all published networks."""
IMAGENET_64 = (192, [1, 2, 3, 4])
"""The width and the multipliers of the network for 64x64: it has a path of its own, and attention in the new order."""
IMAGENET_128 = (256, [1, 1, 2, 3, 4])
"""Those of the network for 128x128, the only one with four heads at every level."""
CIFAR = [1, 2, 2, 2]
"""The multipliers of networks for 32x32, whose smallest level has half the size."""


def convert(state: Mapping[str, Tensor]) -> Converted | None:
    """Return a U-Net. Raises `BadWeights` for one that enlarges pictures."""
    if not state.keys() >= set(NAMES):
        return None
    channels, learned = _channels(state)
    options = _options(state)
    trained = _flags(options, learned)
    steps = trained["schedule"].options["T"]
    options |= {**trained["network"], "steps": steps}
    code = "guided-diffusion" if options["resampling"] == "blocks" else "improved-diffusion"
    size = 32 if options["multipliers"] == CIFAR else SMALLEST * 2 ** (len(options["multipliers"]) - 1)
    classes = f", of class {options['label']} of {options['classes']}" if "classes" in options else ""
    unsaid = ["the schedule and its steps", "what it predicts", "the size of pictures", "the heads of its attention"]
    return Converted(
        title=f"{code}, U-Net of width {options['width']} for {size}x{size}{classes}"
        + (", without its variance" if learned else ""),
        network=Part("unet-adm", options),
        tensors=without_variance(state, "out.2", channels) if learned else state,
        tasks=("denoise",),
        method=METHOD,
        schedule=trained["schedule"],
        objective=objective("noise"),
        channels=letters(channels),
        size=size,
        assumed=(*unsaid, *(["the class of pictures"] if classes else [])),
        source="Dhariwal and Nichol 2021, arXiv:2105.05233",
    )


def _channels(state: Mapping[str, Tensor]) -> tuple[int, bool]:
    """Return the channels of pictures, and whether it predicts a variance. Raises `BadWeights`."""
    inner, outer = state["input_blocks.0.0.weight"].shape[1], state["out.2.weight"].shape[0]
    if inner in (2, 6) and outer in (inner, inner // 2):
        raise BadWeights("it is an upsampler of guided-diffusion, which is shown a small picture too; take one without")
    if inner not in (1, 3) or outer not in (inner, 2 * inner):
        raise BadWeights(
            f"it is a U-Net of guided-diffusion from {inner} channels to {outer}, and pictures have 1 or 3"
        )
    return inner, outer == 2 * inner


def _options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the options of the network that follow from names and shapes."""
    width = state["time_embed.0.weight"].shape[1]
    stages = count(state, "input_blocks")
    blocks, resampling = _blocks(state, stages)
    begins = range(1, stages, blocks + 1)
    widths = [state[f"input_blocks.{begin}.0.out_layers.3.weight"].shape[0] for begin in begins]
    deepest, embedded = state["middle_block.0.out_layers.3.weight"], state["middle_block.0.emb_layers.1.weight"]
    options: dict[str, Any] = {
        "width": width,
        "multipliers": multiples(widths, width),
        "blocks": blocks,
        "attended": [i for i, begin in enumerate(begins) if f"input_blocks.{begin}.1.qkv.weight" in state],
        "scaled": embedded.shape[0] == 2 * deepest.shape[0],
        "resampling": resampling,
    }
    if "label_emb.weight" in state:
        options |= {"classes": state["label_emb.weight"].shape[0], "label": 0}
    return options


def _blocks(state: Mapping[str, Tensor], stages: int) -> tuple[int, str]:
    """Return the residual blocks of a level, and what changes the size after them."""
    ways = {"blocks": "in_layers.2.weight", "convolutions": "conv.weight"}
    for place in range(count(state, "output_blocks")):
        for way, name in ways.items():
            if any(f"output_blocks.{place}.{layer}.{name}" in state for layer in (1, 2)):
                return place, way
    for place in range(1, stages):
        if f"input_blocks.{place}.0.in_layers.2.weight" not in state:
            return place - 1, "plain"
    return stages - 1, "blocks"


def _flags(options: Mapping[str, Any], learned: bool) -> dict[str, Any]:
    """Return what the published flags of such a network were: the schedule, and the heads of its attention.

    Those of improved-diffusion, which changes sizes by convolutions, have four heads and 4000 steps, which are given
    to it as if there were 1000 where there are no classes; but for those of LSUN, which have one head and 1000 steps.
    """
    kind = options["width"], options["multipliers"]
    if options["resampling"] == "blocks":
        heads = {"heads": 4} if kind == IMAGENET_128 or options["width"] % 64 else {"head_channels": 64}
        small = kind == IMAGENET_64
        network = {**heads, "order": "new" if small else "legacy"}
        return {"network": network, "schedule": path("cosine" if small else "linear")}
    if learned and options["scaled"]:
        return {"network": {"heads": 4, "rescaled": "classes" not in options}, "schedule": path("cosine", 4000)}
    return {"network": {"heads": 4 if options["scaled"] else 1}, "schedule": path("linear")}
