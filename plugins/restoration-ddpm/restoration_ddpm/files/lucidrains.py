"""Files of denoising-diffusion-pytorch (lucidrains) since version 0.32: which form of its U-Net they hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from einops import reduce

from restoration import BadWeights, Converted, Part
from restoration_ddpm.files.paths import METHOD, objective, path, told_by
from restoration_ddpm.files.tensors import count, letters, multiples, without_variance

if TYPE_CHECKING:
    from torch import Tensor

NAMES = (
    "init_conv.weight",
    "time_mlp.1.weight",
    "time_mlp.3.weight",
    "downs.0.0.block1.proj.weight",
    "downs.0.0.block1.proj.bias",
    "downs.0.0.mlp.1.weight",
    "mid_block1.block1.proj.weight",
    "ups.0.0.block1.proj.weight",
    "final_res_block.block1.proj.weight",
    "final_conv.weight",
)
"""What every form has."""
CODE = "denoising-diffusion-pytorch"
SMALLEST = 16
"""The size of the smallest level for pictures of the size that its documentation has, 128 for four levels."""
HEADS = 4
"""The heads of attention whose file does not say."""


def convert(state: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> Converted | None:
    """Return a U-Net, and its path if the tables of its diffusion are `others`. Raises `BadWeights` for some forms."""
    if not state.keys() >= set(NAMES):
        return None
    _refuse(state, others)
    levels = count(state, "downs")
    width = state["time_mlp.1.weight"].shape[0] // 4
    before = "mid_attn.fn.norm.g" in state
    channels, conditioned, learned = _channels(state)
    own = _renamed(state) if before else dict(state)
    if conditioned:
        own["init_conv.weight"] = own["init_conv.weight"][:, channels:]
    if learned:
        own = without_variance(own, "final_conv", channels)
    known, continuous = told_by(others), "time_mlp.0.weights" in state
    known.setdefault("schedule", path("snr-linear" if continuous else "sigmoid-abar"))
    known.setdefault("objective", objective("noise" if before or continuous else "velocity"))
    unsaid = ["the size of pictures"]
    unsaid += [] if "betas" in others else ["the schedule"]
    unsaid += [] if "loss_weight" in others else ["what it predicts"]
    extra = ", which was shown its last estimate and is shown none" * conditioned
    extra += ", without its variance" * learned + ", its kernels standardised" * before
    return Converted(
        title=f"{CODE}, U-Net of width {width}{extra}",
        network=Part("unet-lucidrains", _options(own, levels, width, before)),
        tensors=own,
        tasks=("denoise",),
        method=METHOD,
        channels=letters(channels),
        size=SMALLEST * 2 ** (levels - 1),
        assumed=tuple(unsaid),
        source="Ho et al. 2020, arXiv:2006.11239",
        **known,
    )


def _refuse(state: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> None:
    """Raise `BadWeights` for forms of the U-Net that are not served."""
    if any(name.startswith("log_snr.") for name in others):
        raise BadWeights(f"it is a U-Net of {CODE} with a schedule that it has learned, and such are not known here")
    if any(name.startswith(("classes_emb", "classes_mlp", "null_classes_emb")) for name in state):
        raise BadWeights(f"it is a U-Net of {CODE} that is conditioned on a class, and such are not known here")
    if state.get("downs.0.3.weight", state["final_conv.weight"]).shape[-1] == 4:
        raise BadWeights(
            f"it is of {CODE} before version 0.32 (November 2022), whose files do not say which attention they have"
        )


def _channels(state: Mapping[str, Tensor]) -> tuple[int, bool, bool]:
    """Return the channels of pictures, whether it is shown its last estimate too, and whether it predicts a variance.

    Raises `BadWeights`.
    """
    inner, outer = state["init_conv.weight"].shape[1], state["final_conv.weight"].shape[0]
    for channels in (1, 3):
        if inner in (channels, 2 * channels) and outer in (channels, 2 * channels):
            return channels, inner == 2 * channels, outer == 2 * channels
    raise BadWeights(f"it is a U-Net of {CODE} from {inner} channels to {outer}, and pictures have 1 or 3")


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a version before 1.8 by the names of later ones, its kernels standardised.

    The blocks of versions 0.27 to 1.6 subtract the mean of each kernel and divide by its deviation (Qiao et al.,
    arXiv:1903.10520), which is done here once.
    """
    named = {}
    for name, value in state.items():
        new = name.replace(".fn.fn.", ".").replace(".fn.norm.", ".norm.")
        if name.endswith((".block1.proj.weight", ".block2.proj.weight")):
            value = _standardised(value)
        named[new] = value
    return named


def _standardised(kernel: Tensor) -> Tensor:
    """Return kernels `o i h w`, each with mean 0 and variance 1."""
    wide = kernel.double()
    centred = wide - reduce(wide, "o i h w -> o 1 1 1", "mean")
    variance = reduce(centred.square(), "o i h w -> o 1 1 1", "mean")
    return (centred * (variance + 1e-5).rsqrt()).to(kernel.dtype)


def _options(state: Mapping[str, Tensor], levels: int, width: int, before: bool) -> dict[str, Any]:
    """Return the options of the network that has these tensors."""
    first = state["init_conv.weight"].shape[0]
    ends = [state[f"downs.{i}.3.1.weight" if i < levels - 1 else f"downs.{i}.3.weight"] for i in range(levels)]
    full = [i for i in range(levels) if f"downs.{i}.2.to_out.weight" in state]
    heads, of_head, memory = [], [], 0
    for i in range(levels):
        learned = state.get(f"downs.{i}.2.mem_kv")
        if learned is None:
            heads.append(HEADS)
            of_head.append(state[f"downs.{i}.2.to_qkv.weight"].shape[0] // (3 * HEADS))
            continue
        _, own, one, other = learned.shape
        memory, channels = (one, other) if i in full else (other, one)
        heads.append(own)
        of_head.append(channels)
    return {
        "width": width,
        **({"first": first} if first != width else {}),
        "multipliers": multiples([end.shape[0] for end in ends], width),
        "full": full,
        "heads": heads if len({*heads}) > 1 else heads[:1],
        "head_channels": of_head if len({*of_head}) > 1 else of_head[:1],
        "memory": memory,
        "norm": "rms" if "mid_block1.block1.norm.g" in state else "group",
        "attention": "layer" if before else "rms",
        "steps": 1000,
        **_waves(state),
    }


def _waves(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the options of a network for continuous times; they are those of `ContinuousTimeGaussianDiffusion`."""
    learned = state.get("time_mlp.0.weights")
    return {} if learned is None else {"waves": len(learned), "told": "snr-linear"}
