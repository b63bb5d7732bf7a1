"""Initial weights: layers that begin at zero, so that what they are added to begins unchanged."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def zero_module(layer: Layer) -> Layer:
    """Set the weights and the bias of a layer to zero, and return it."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
