"""The promises of every interface, as tests that a plugin imports and pytest collects.

A plugin's test file says `class TestMedian(RestorerContract): name = "median"` and has them all. The thing is built
from its card, so what is tested is what users get; `options` make it small and quick.
"""

from __future__ import annotations

from restoration.testing.contract import SIZES, BuiltContract, Contract, generator, no_side_effects, picture, scene
from restoration.testing.files import LayoutContract
from restoration.testing.methods import RestorerContract, TaskContract, WeightsContract
from restoration.testing.networks import NetworkContract
from restoration.testing.paths import ObjectiveContract, SamplerContract, ScheduleContract
from restoration.testing.scores import CommandContract, MetricContract

__all__ = [
    "SIZES",
    "BuiltContract",
    "CommandContract",
    "Contract",
    "LayoutContract",
    "MetricContract",
    "NetworkContract",
    "ObjectiveContract",
    "RestorerContract",
    "SamplerContract",
    "ScheduleContract",
    "TaskContract",
    "WeightsContract",
    "generator",
    "no_side_effects",
    "picture",
    "scene",
]
