"""Image restoration with plugins. The names below are public; each is imported when it is touched."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from restoration.version import __version__

if TYPE_CHECKING:
    from restoration.engine.adapter import NetworkMaker as NetworkMaker
    from restoration.errors import BadOption as BadOption
    from restoration.errors import BadPicture as BadPicture
    from restoration.errors import BadPlugin as BadPlugin
    from restoration.errors import BadWeights as BadWeights
    from restoration.errors import RestorationError as RestorationError
    from restoration.errors import UnknownName as UnknownName
    from restoration.images import read as read
    from restoration.images import write as write
    from restoration.interfaces import AnnealedObjective as AnnealedObjective
    from restoration.interfaces import BetaSchedule as BetaSchedule
    from restoration.interfaces import BoundedNetwork as BoundedNetwork
    from restoration.interfaces import DescribedMetric as DescribedMetric
    from restoration.interfaces import DirectObjective as DirectObjective
    from restoration.interfaces import DiscreteSchedule as DiscreteSchedule
    from restoration.interfaces import EnlargingNetwork as EnlargingNetwork
    from restoration.interfaces import KnowingTask as KnowingTask
    from restoration.interfaces import Limits as Limits
    from restoration.interfaces import Metric as Metric
    from restoration.interfaces import Network as Network
    from restoration.interfaces import NoiseSchedule as NoiseSchedule
    from restoration.interfaces import Objective as Objective
    from restoration.interfaces import Observation as Observation
    from restoration.interfaces import Operator as Operator
    from restoration.interfaces import ReportingRestorer as ReportingRestorer
    from restoration.interfaces import Restorer as Restorer
    from restoration.interfaces import Result as Result
    from restoration.interfaces import Sampler as Sampler
    from restoration.interfaces import SDESchedule as SDESchedule
    from restoration.interfaces import SetMetric as SetMetric
    from restoration.interfaces import Task as Task
    from restoration.layouts import Converted as Converted
    from restoration.layouts import Layout as Layout
    from restoration.layouts import MeasuredNetwork as MeasuredNetwork
    from restoration.loading import load as load
    from restoration.metrics import ms_ssim as ms_ssim
    from restoration.metrics import psnr as psnr
    from restoration.metrics import ssim as ssim
    from restoration.picture import Picture as Picture
    from restoration.randomness import RowGenerators as RowGenerators
    from restoration.randomness import keyed_generator as keyed_generator
    from restoration.recipe import Part as Part
    from restoration.recipe import Recipe as Recipe
    from restoration.registry.cards import CommandCard as CommandCard
    from restoration.registry.cards import CommandOption as CommandOption
    from restoration.registry.cards import LayoutCard as LayoutCard
    from restoration.registry.cards import MetricCard as MetricCard
    from restoration.registry.cards import NetworkCard as NetworkCard
    from restoration.registry.cards import ObjectiveCard as ObjectiveCard
    from restoration.registry.cards import RestorerCard as RestorerCard
    from restoration.registry.cards import SamplerCard as SamplerCard
    from restoration.registry.cards import ScheduleCard as ScheduleCard
    from restoration.registry.cards import TaskCard as TaskCard
    from restoration.registry.cards import WeightsCard as WeightsCard
    from restoration.registry.hookspecs import hookimpl as hookimpl
    from restoration.runtime import Restoration as Restoration
    from restoration.runtime import restore as restore
    from restoration.samples import Samples as Samples
    from restoration.scoring.comparison import compare as compare
    from restoration.scoring.score import score as score
    from restoration.training.loop import train as train
    from restoration.training.settings import Training as Training
    from restoration.training.whole import fit_to_pictures as fit_to_pictures
    from restoration.weights import resolve as resolve

if "OMP_WAIT_POLICY" not in os.environ:  # torch must find these when it is imported
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that wait sleep, or they are in the way of other programs,
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")  # but only after a moment, for waking takes long

_WHERE = {
    "engine.adapter": "NetworkMaker",
    "errors": "BadOption BadPicture BadPlugin BadWeights RestorationError UnknownName",
    "images": "read write",
    "interfaces": "AnnealedObjective BetaSchedule BoundedNetwork DescribedMetric DirectObjective DiscreteSchedule "
    "EnlargingNetwork KnowingTask Limits Metric Network NoiseSchedule Objective Observation Operator ReportingRestorer "
    "Restorer Result Sampler SDESchedule SetMetric Task",
    "layouts": "Converted Layout MeasuredNetwork",
    "loading": "load",
    "metrics": "ms_ssim psnr ssim",
    "picture": "Picture",
    "randomness": "RowGenerators keyed_generator",
    "recipe": "Part Recipe",
    "registry.cards": "CommandCard CommandOption LayoutCard MetricCard NetworkCard ObjectiveCard RestorerCard "
    "SamplerCard ScheduleCard TaskCard WeightsCard",
    "registry.hookspecs": "hookimpl",
    "runtime": "Restoration restore",
    "samples": "Samples",
    "scoring.comparison": "compare",
    "scoring.score": "score",
    "training.loop": "train",
    "training.settings": "Training",
    "training.whole": "fit_to_pictures",
    "weights": "resolve",
}
_PUBLIC = {name: module for module, names in _WHERE.items() for name in names.split()}
__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'restoration' has no attribute {name!r}")
    return getattr(import_module(f"restoration.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
