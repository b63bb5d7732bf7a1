"""Files of the published code of IR-SDE and Refusion, key by key: which network, and the recipe that it was trained by.

Its networks predict the noise plus the error of an Euler step, so the recipe has the objective `euler-matching`, which
removes that error, written out as `corrected`. What a file does not say, the λ of its path, is that of the published
settings of the task.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from restoration import Converted, Part
from restoration.layouts import without_prefix

if TYPE_CHECKING:
    from torch import Tensor

CORRECTED = Part("euler-matching", {"norm": "l1", "corrected": True})
LAMBDAS = {"derain": 10.0, "deblur": 10.0, "dehaze": 10.0, "sr": 30.0, "inpaint": 30.0}
"""The λ of IR-SDE by task, in levels of 255."""
ASSUMED = ("the noise at the end of its path",)
"""What a file does not say: λ."""
REFUSION = 50.0
"""That of Refusion, for every task."""
STEPS = 100
SHARED = ("time_mlp.1.weight", "time_mlp.3.weight")
UNET = ("init_conv.weight", "downs.0.0.block1.proj.weight", "ups.0.0.res_conv.weight", "mid_attn.fn.norm.g")
NAFNET = ("intro.weight", "encoders.0.0.mlp.1.weight", "middle_blks.0.mlp.1.weight", "ending.weight")


class PublishedLayout:
    """Recognises the networks of image-restoration-sde."""

    def convert(self, tensors: Mapping[str, Tensor]) -> Converted | None:
        """Return the network of a file."""
        state = without_prefix(tensors, "module.", "ema_model.module.", "ema_model.")
        if not state.keys() >= set(SHARED):
            return None
        if state.keys() >= set(UNET):
            return _unet(state)
        return _nafnet(state) if state.keys() >= set(NAFNET) else None

    def names(self) -> Mapping[str, Collection[str]]:
        """Return the names by which each network is recognised."""
        return {"IR-SDE": [*SHARED, *UNET], "Refusion": [*SHARED, *NAFNET]}


def _unet(state: Mapping[str, Tensor]) -> Converted | None:
    """Return a U-Net of IR-SDE, or of Denoising-SDE, which is not given the degraded picture."""
    width, inner = state["init_conv.weight"].shape[:2]
    channels = state["final_conv.weight"].shape[0]
    options = {"width": width, "depth": _count(state, "downs"), "time_scale": 100.0}
    known: dict[str, Any] = {"tensors": state, "channels": _channels(channels)}
    if inner == 2 * channels:
        return Converted(
            title=f"IR-SDE, U-Net of width {width}",
            network=Part("conditional-unet", options),
            method=Part("ir-sde", {"steps": STEPS}),
            schedule=_path(LAMBDAS["derain"]),
            objective=CORRECTED,
            sampler=Part("posterior"),
            tasks=tuple(LAMBDAS),
            for_tasks={task: {"schedule": _path(value)} for task, value in LAMBDAS.items()},
            assumed=ASSUMED,
            source="Luo et al. 2023, arXiv:2301.11699",
            **known,
        )
    if inner != channels:
        return None
    return Converted(
        title=f"Denoising-SDE, U-Net of width {width}",
        network=Part("unconditional-unet", options),
        method=Part("denoising-ode", {"steps": STEPS}),
        schedule=Part("denoising-sde", {"theta": "cosine", "max_sigma": 75.0, "T": 100, "eps": 0.04}),
        objective=Part("posterior-mean", {"norm": "l1", "predicts": "noise"}),
        sampler=Part("euler-ode"),
        tasks=("denoise",),
        source="Luo et al. 2023, arXiv:2301.11699",
        **known,
    )


def _nafnet(state: Mapping[str, Tensor]) -> Converted | None:
    """Return a NAFNet of Refusion; those for latents are half of what restores a picture, and not recognised."""
    width, inner = state["intro.weight"].shape[:2]
    channels = state["ending.weight"].shape[0]
    if inner != 2 * channels or channels not in (1, 3):
        return None
    options = {
        "width": width,
        "encoder": [_count(state, f"encoders.{level}") for level in range(_count(state, "encoders"))],
        "middle": _count(state, "middle_blks"),
        "decoder": [_count(state, f"decoders.{level}") for level in range(_count(state, "decoders"))],
        "time_scale": 100.0,
    }
    return Converted(
        title=f"Refusion, NAFNet of width {width}",
        network=Part("conditional-nafnet", options),
        tensors=state,
        method=Part("ir-sde", {"steps": STEPS}),
        schedule=_path(REFUSION),
        objective=CORRECTED,
        sampler=Part("posterior"),
        tasks=tuple(LAMBDAS),
        assumed=ASSUMED,
        channels=_channels(channels),
        source="Luo et al. 2023, arXiv:2304.08291",
    )


def _path(max_sigma: float) -> Part:
    return Part("mean-reverting", {"theta": "cosine", "max_sigma": max_sigma, "T": 100, "eps": 0.005})


def _channels(number: int) -> str:
    return "rgb" if number == 3 else "y"


def _count(state: Mapping[str, Tensor], stem: str) -> int:
    """Return how many numbered parts a module has."""
    start = stem.count(".") + 1
    return len({name.split(".")[start] for name in state if name.startswith(f"{stem}.")})
