"""Files of the code of DDIM, and of others that have its U-Net: DDRM, SDEdit and the ported networks of DDPM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from restoration import BadWeights, Converted, Part
from restoration_ddpm.files.paths import METHOD, objective, path
from restoration_ddpm.files.tensors import count, letters, multiples

if TYPE_CHECKING:
    from torch import Tensor

NAMES = (
    "temb.dense.0.weight",
    "temb.dense.1.weight",
    "conv_in.weight",
    "down.0.block.0.norm1.weight",
    "down.0.block.0.temb_proj.weight",
    "down.0.block.0.conv2.weight",
    "mid.block_1.conv1.weight",
    "mid.attn_1.q.weight",
    "mid.block_2.conv1.weight",
    "up.0.block.0.conv1.weight",
    "norm_out.weight",
    "conv_out.weight",
)
"""What every form has."""
ATTENDED = 16
"""The size of the level with attention, in all published networks."""


def convert(state: Mapping[str, Tensor]) -> Converted | None:
    """Return a U-Net. Raises `BadWeights` for one of other things than pictures."""
    if not state.keys() >= set(NAMES):
        return None
    inner, channels = state["conv_in.weight"].shape[1], state["conv_out.weight"].shape[0]
    if inner != channels or channels not in (1, 3):
        raise BadWeights(f"it is a U-Net of DDIM from {inner} channels to {channels}, and pictures have 1 or 3")
    width, levels = state["temb.dense.0.weight"].shape[1], count(state, "down")
    widths = [state[f"down.{i}.block.0.conv2.weight"].shape[0] for i in range(levels)]
    attended = [i for i in range(levels) if f"down.{i}.attn.0.q.weight" in state]
    options: dict[str, Any] = {
        "width": width,
        "multipliers": multiples(widths, width),
        "blocks": count(state, "down.0.block"),
        "attended": attended,
        "convolves": levels == 1 or "down.0.downsample.conv.weight" in state,
        "steps": 1000,
    }
    size = ATTENDED * 2 ** (attended[0] if attended else levels - 1)
    return Converted(
        title=f"DDIM, U-Net of width {width} for {size}x{size}",
        network=Part("unet-ddim", options),
        tensors=state,
        tasks=("denoise",),
        method=METHOD,
        schedule=path("linear"),
        objective=objective("noise"),
        channels=letters(channels),
        size=size,
        assumed=("the schedule and its steps", "what it predicts", "the size of pictures"),
        source="Ho et al. 2020, arXiv:2006.11239; Song et al. 2021, arXiv:2010.02502",
    )
