"""The settings of a fit, by task and quality: the published ones, and faster ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from torch.nn.functional import max_pool2d

from restoration.operators import Masking

if TYPE_CHECKING:
    from torch import Tensor

    from restoration import NetworkMaker, Operator
    from restoration_dip.fit.fitting import Optimiser

Quality = Literal["fast", "balanced", "paper"]
Stop = Literal["held-out", "moving-variance", "averaged-variance", "none"]
Start = Literal["noise", "mesh-grid", "smoothed", "masked"]
Holes = Literal["dots", "strokes", "wide"]

PYRAMID: dict[str, Any] = {"down": (16, 32, 64, 128, 128), "up": (16, 32, 64, 128, 128), "skip": (4, 4, 4, 4, 4)}
"""Options of a network with few channels at full size: a step takes a fifth of the time, and results are as good."""
FINE: dict[str, Any] = PYRAMID | {"skip": (16, 16, 4, 4, 4)}
"""The same with wider skips at the two finest levels, for inputs made of the picture: they pass its fine detail on."""
NO_SKIPS: dict[str, Any] = {"skip": (0, 0, 0, 0, 0), "upsample": "nearest"}
"""Options for wide holes: without skips and from a smooth input, the surroundings of a hole continue into it."""
SMALL_JITTER, MEDIUM_JITTER = 0.01, 0.02
"""Jitter for fits of few steps: a larger one delays the fit of noise, but that of the picture as well."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Settings of a fit.

    * `network`: options of the network, if it is `skip`.
    * `start`: the input of the network, see `DeepImagePrior`.
    * `channels`: the number of channels of noise in the input.
    * `steps`: the most steps.
    * `jitter`: the standard deviation of the noise that is added to the input at each step.
    * `stop`: the rule for early stopping.
    * `lr`: the learning rate, None for that of `choose_settings`.
    * `optimiser`: "adam" or "muon".
    * `pixels`: the most pixels of a picture with holes; a larger one is fitted at a smaller size, see `smaller`.
    """

    network: dict[str, Any] = field(default_factory=dict)
    start: Start = "noise"
    channels: int = 32
    steps: int = 3000
    jitter: float = 1 / 30
    stop: Stop = "held-out"
    lr: float | None = None
    optimiser: Optimiser = "adam"
    pixels: int | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a kind of network: its own options, and the learning rate."""

    options: dict[str, Any] = field(default_factory=dict)
    lr: float = 1e-3


SETTINGS = {"skip": Settings(lr=0.01), "resnet18": Settings(lr=0.01)}
"""Settings of networks, by name. All others have the default learning rate: dip-unet and unet diverge with 0.01."""


def choose_settings(make_network: NetworkMaker) -> Settings:
    """Return the settings of a kind of network; it must not add its output to its input, which is not a picture."""
    settings = SETTINGS.get(make_network.name, Settings())
    if "residual" in make_network.card.options():
        return replace(settings, options={"residual": False, **settings.options})
    return settings


Plans = dict[str, Plan]
"""A plan for each task or, if there is a mask, for its kind of holes; "" is for all others."""

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
    "wide": Plan(network=NO_SKIPS, start="mesh-grid", steps=5000, jitter=0.03, stop="none"),
}
"""Those of Ulyanov et al. 2018, arXiv:1711.10925, and of its code, for the holes of its barbara, kate and vase."""

BALANCED: Plans = {
    "": Plan(network=PYRAMID, steps=1000, jitter=MEDIUM_JITTER, optimiser="muon"),
    "denoise": Plan(network=FINE, start="masked", steps=400, optimiser="muon"),
    "jpeg": Plan(network=PYRAMID),
    "wide": Plan(network=PYRAMID | NO_SKIPS, start="mesh-grid"),
}
"""Good results in minutes."""
FAST: Plans = {
    "": Plan(network=PYRAMID, start="smoothed", channels=8, steps=150, jitter=SMALL_JITTER, optimiser="muon"),
    "denoise": Plan(network=FINE, start="masked", steps=100, optimiser="muon"),
    "jpeg": Plan(network=PYRAMID, start="smoothed", channels=8, steps=180, jitter=SMALL_JITTER),
    "dots": Plan(network=FINE, start="masked", steps=100, optimiser="muon"),
    "strokes": Plan(network=PYRAMID, steps=200, jitter=SMALL_JITTER, optimiser="muon"),
    "wide": Plan(network=PYRAMID | NO_SKIPS, start="mesh-grid", steps=500, pixels=256 * 256),
}
"""First results in a minute. JPEG is left to Adam: blocks look like a picture, and are fitted early with large steps.
Wide holes take more steps and no blurred copies, which are empty there as well.
"""


def choose_plan(task: str, quality: Quality, operator: Operator | None = None) -> Plan:
    """Return the settings for a task; if the operator is a mask, those for its kind of holes."""
    plans = {"fast": FAST, "balanced": BALANCED, "paper": PAPER}[quality]
    plan = plans.get(classify_holes(operator.mask) if isinstance(operator, Masking) else task, plans[""])
    return replace(plan, network={**plan.network})


def with_adam(plan: Plan) -> Plan:
    """Return a plan with Adam and three times the steps, for networks and inputs that diverge with Muon."""
    return replace(plan, optimiser="adam", steps=3 * plan.steps) if plan.optimiser == "muon" else plan


def classify_holes(mask: Tensor) -> Holes:
    """Return the kind of holes of a mask `1 1 h w` that is 1 where pixels are known.

    In wide holes more than 5 % of the missing pixels are more than 10 pixels away from a known one. Of dots, at most
    20 % have no known neighbour.
    """
    known = mask.float()
    missing = (known == 0).sum()

    def share_beyond(distance: int) -> float:
        return float((max_pool2d(known, 2 * distance + 1, stride=1, padding=distance) == 0).sum() / missing)

    return "wide" if share_beyond(10) > 0.05 else "strokes" if share_beyond(1) > 0.2 else "dots"
