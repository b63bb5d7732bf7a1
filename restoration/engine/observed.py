"""What was observed, as a method is given it: on its device, in its channels, and small where that is enough."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from restoration.engine.shrinking import shrink
from restoration.picture import with_channels

if TYPE_CHECKING:
    from restoration.interfaces import Observation


def placed(observation: Observation, device: torch.device, channels: int) -> Observation:
    """Bring what was observed to a device, with as many channels as the network knows."""
    measured, mean, sigma = observation.measured, observation.mean, observation.sigma
    return replace(
        observation,
        y=with_channels(observation.y, channels).to(device),
        sigma=sigma.to(device) if isinstance(sigma, torch.Tensor) else sigma,
        measured=None if measured is None else with_channels(measured, channels).to(device),
        mean=None if mean is None else with_channels(mean, channels).to(device),
    )


def at_working_size(observation: Observation, size: int) -> Observation:
    """Shrink what was observed to the working size of a recipe, 0 for none, if nothing is known of single pixels."""
    mapped, mean = isinstance(observation.sigma, torch.Tensor), observation.mean
    if mapped or observation.operator is not None or observation.measured is not None:
        return observation
    return replace(observation, y=shrink(observation.y, size), mean=None if mean is None else shrink(mean, size))
