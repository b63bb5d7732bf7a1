"""What to fit, how and for how long: the published settings, and faster ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from torch.nn.functional import max_pool2d

from restoration.operators import Masking

if TYPE_CHECKING:
    from restoration_dip.fit.fitting import Optimiser
    from torch import Tensor

    from restoration import NetworkMaker, Operator

Quality = Literal["fast", "balanced", "paper"]
Stop = Literal["held-out", "moving-variance", "averaged-variance", "none"]
Start = Literal["noise", "mesh-grid", "smoothed", "masked"]
Holes = Literal["dots", "strokes", "wide"]

PYRAMID: dict[str, Any] = {"down": (16, 32, 64, 128, 128), "up": (16, 32, 64, 128, 128), "skip": (4, 4, 4, 4, 4)}
"""The network that is narrow where the picture is large: a step takes a fifth of the time, answers are as good."""
FINE: dict[str, Any] = PYRAMID | {"skip": (16, 16, 4, 4, 4)}
"""The same where the picture itself is shown: more of what is fine comes through."""
ACROSS: dict[str, Any] = {"skip": (0, 0, 0, 0, 0), "upsample": "nearest"}
"""For wide holes: without skips and from a smooth input, what is around a hole goes on in it."""
CALM, BRISK = 0.01, 0.02
"""Jitter for few steps: a larger one keeps a fit from noise for longer, but from the picture too."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Settings of a fit: options of the network `skip`, its input, and how long it goes on."""

    network: dict[str, Any] = field(default_factory=dict)
    start: Start = "noise"
    channels: int = 32
    steps: int = 3000
    jitter: float = 1 / 30
    stop: Stop = "held-out"
    lr: float | None = None
    optimiser: Optimiser = "adam"
    pixels: int | None = None
    """At most so many are fitted where there are holes, see `smaller`."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What suits a kind of network: options of its own, and the step of the optimiser."""

    options: dict[str, Any] = field(default_factory=dict)
    lr: float = 1e-3


SETTINGS = {"skip": Settings(lr=0.01), "resnet18": Settings(lr=0.01)}
"""For networks by name. The others take small steps: with larger ones dip-unet and unet end in nothing."""


def settings_for(make_network: NetworkMaker) -> Settings:
    """Return what suits a kind of network that is shown noise: there is nothing to add a residual to."""
    settings = SETTINGS.get(make_network.name, Settings())
    if "residual" in make_network.card.options():
        return replace(settings, options={"residual": False, **settings.options})
    return settings


Plans = dict[str, Plan]
"""For each task, or where a mask is known for its kind of holes; "" is for all others."""

PAPER: Plans = {
    "": Plan(),
    "jpeg": Plan(
        network={"down": (8, 16, 32, 64, 128), "up": (8, 16, 32, 64, 128), "skip": (0, 0, 0, 4, 4)},
        channels=3,
        steps=2400,
        stop="none",
    ),
    "sr": Plan(steps=2000, jitter=0.03, stop="none"),
    "deblur": Plan(steps=5000, jitter=0.03, stop="none"),
    "dots": Plan(steps=11_000, jitter=0.03, lr=0.001, stop="none"),
    "strokes": Plan(
        network={"skip": (128, 128, 128, 128, 128), "upsample": "nearest"}, steps=6000, jitter=0.03, stop="none"
    ),
    "wide": Plan(network=ACROSS, start="mesh-grid", steps=5000, jitter=0.03, stop="none"),
}
"""Ulyanov et al. 2018, arXiv:1711.10925, and its published code; holes as of its pictures barbara, kate and vase."""

BALANCED: Plans = {
    "": Plan(network=PYRAMID, steps=1000, jitter=BRISK, optimiser="muon"),
    "denoise": Plan(network=FINE, start="masked", steps=400, optimiser="muon"),
    "jpeg": Plan(network=PYRAMID),
    "wide": Plan(network=PYRAMID | ACROSS, start="mesh-grid"),
}
FAST: Plans = {
    "": Plan(network=PYRAMID, start="smoothed", channels=8, steps=150, jitter=CALM, optimiser="muon"),
    "denoise": Plan(network=FINE, start="masked", steps=100, optimiser="muon"),
    "jpeg": Plan(network=PYRAMID, start="smoothed", channels=8, steps=180, jitter=CALM),
    "dots": Plan(network=FINE, start="masked", steps=100, optimiser="muon"),
    "strokes": Plan(network=PYRAMID, steps=200, jitter=CALM, optimiser="muon"),
    "wide": Plan(network=PYRAMID | ACROSS, start="mesh-grid", steps=500, pixels=256 * 256),
}
"""Blocks of JPEG look like a picture: with large steps a fit has them before it is stopped. What is far from a wide
hole arrives late in it, and a blurred picture is empty there too.
"""


def plan_for(task: str, quality: Quality, operator: Operator | None = None) -> Plan:
    """Return the settings for a task; if the operator is a mask, those for its kind of holes."""
    plans = {"fast": FAST, "balanced": BALANCED, "paper": PAPER}[quality]
    plan = plans.get(holes_of(operator.mask) if isinstance(operator, Masking) else task, plans[""])
    return replace(plan, network={**plan.network})


def by_adam(plan: Plan) -> Plan:
    """Return settings for networks and inputs that Muon was not tried on: some end in nothing with it."""
    return replace(plan, optimiser="adam", steps=3 * plan.steps) if plan.optimiser == "muon" else plan


def holes_of(mask: Tensor) -> Holes:
    """Return what kind of holes a mask has, `1 1 h w`, 1 where pixels are known.

    Most dots are next to something known; in wide holes more than a twentieth of what is missing is more than 10 pixels
    away from it.
    """
    known = mask.float()
    missing = (known == 0).sum()

    def beyond(reach: int) -> float:
        return float((max_pool2d(known, 2 * reach + 1, stride=1, padding=reach) == 0).sum() / missing)

    return "wide" if beyond(10) > 0.05 else "strokes" if beyond(1) > 0.2 else "dots"
