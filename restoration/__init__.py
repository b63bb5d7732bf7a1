"""Image restoration with plugins. The names below are public; each is imported when it is touched."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "cards": (
        "NetworkCard ObjectiveCard RestorerCard SamplerCard ScheduleCard TaskCard WeightsCard"  # what a plugin brings
    ),
    "errors": "BadOption BadPicture BadPlugin BadWeights RestorationError UnknownName",
    "hookspecs": "hookimpl",
    "images": "Picture read write",
    "interfaces": "Network NoiseSchedule Objective Observation Operator Restorer Sampler Task",
    "metrics": "psnr ssim",
    "recipe": "Part Recipe",
    "runtime": "Restoration Result restore",
    "training": "Training train",
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
