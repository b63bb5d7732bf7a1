"""What a method answers: checked as it comes, and made a picture of."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch

from restoration.errors import BadPlugin
from restoration.interfaces import ReportingRestorer
from restoration.operators import Masking
from restoration.registry import registry
from restoration.registry.cards import RestorerCard

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.interfaces import Observation, Restorer
    from restoration.picture import Picture


class PerThread(threading.local):
    """The state of a method in each thread: its restorer, and the evaluations of the network for the last picture."""

    restorer: Restorer | None = None
    evaluations = 0

    def __reduce__(self) -> tuple[type[PerThread], tuple[()]]:
        """Be empty in another process, as in another thread."""
        return PerThread, ()


def label(name: str) -> str:
    """Return what a method is called in errors."""
    return registry().label(RestorerCard, name)


def guesses_of(restorer: Restorer, name: str, observation: Observation, seed: int) -> Iterator[Tensor]:
    """Yield what a method yields, `1 c h w`. Raises `BadPlugin` for anything but pictures like the one observed."""
    guesses: Any = restorer(observation, torch.Generator().manual_seed(seed))
    if not isinstance(guesses, Iterable):
        raise BadPlugin(f"{label(name)} gave {type(guesses).__name__}, not pictures one after another")
    wanted = tuple(observation.y.shape)
    for guess in guesses:
        if not isinstance(guess, torch.Tensor) or not guess.is_floating_point() or tuple(guess.shape) != wanted:
            tensor = isinstance(guess, torch.Tensor)
            found = f"{guess.dtype} {tuple(guess.shape)}" if tensor else type(guess).__name__
            raise BadPlugin(f"{label(name)} gave {found}, not a picture of floats, {wanted}")
        yield guess


def told_of(restorer: Restorer, name: str) -> dict[str, Any]:
    """Return what a method has to say about the last picture. Raises `BadPlugin` if that is no dict."""
    told: object = restorer.told if isinstance(restorer, ReportingRestorer) else {}
    if not isinstance(told, Mapping):
        raise BadPlugin(f"{label(name)} has a `told` that is {type(told).__name__}, not a dict")
    return dict(told)


def finished(picture: Picture, observation: Observation, pixels: Tensor) -> Picture:
    """Return the restored picture: known and hidden pixels as they were; no alpha where it only marked the holes."""
    if isinstance(observation.operator, Masking):
        mask = observation.operator.mask
        pixels = torch.where(mask == 1, picture.pixels, pixels)
        if picture.alpha is not None and torch.equal((picture.alpha == 1).to(mask), mask):
            picture = dataclasses.replace(picture, alpha=None)
    if picture.alpha is not None and pixels.shape == picture.pixels.shape:
        pixels = torch.where(picture.alpha == 0, picture.pixels, pixels)
    return picture.with_pixels(pixels)
