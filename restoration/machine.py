"""Options that say on what a command computes, how precisely, and whether it may use the network, for all commands.

Each is a function of `click.option`, or of one like it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

T = TypeVar("T", bound=Callable[..., Any])


def device_option(option: Callable[..., Callable[[Any], Any]] = click.option) -> Callable[[T], T]:
    """Return the option for the device, `device`."""
    return option(
        "--device",
        metavar="NAME",
        default="auto",
        show_default=True,
        help="Device to compute on: auto, cpu, cuda, cuda:1 or mps.",
    )


def precision_option(option: Callable[..., Callable[[Any], Any]] = click.option) -> Callable[[T], T]:
    """Return the option for the precision of a network that is used, not trained: `precision`."""
    return option(
        "--precision",
        metavar="NAME",
        default="auto",
        show_default=True,
        help="Floating-point precision: auto, fp32, bf16 or fp16.",
    )


def offline_option(option: Callable[..., Callable[[Any], Any]] = click.option) -> Callable[[T], T]:
    """Return the option for work without the network, `offline`."""
    return option("--offline", is_flag=True, help="Do not use the network; weights of the Hub must be in its cache.")
