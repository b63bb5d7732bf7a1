"""How large a network would be, found out before it takes any memory."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from restoration.config import MOST_TENSORS
from restoration.errors import BadOption, one_line
from restoration.memory import free_memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from restoration.registry.cards import NetworkCard

log = logging.getLogger("restoration")

SMALL = 32
"""Options up to this number, and a few of them, make no network that is too large; that need not be tried."""


class TooLarge(BadOption):
    """A network that the machine cannot hold."""


def check_size(card: NetworkCard, options: Mapping[str, Any], parts: Mapping[str, Any]) -> None:
    """Build a network without memory, on the device "meta", to see how large it is. Raises `BadOption` if too large.

    A network that cannot be built so is not judged: what is wrong with it, if anything is, its real building tells.
    """
    if all(map(_is_small, options.values())):
        return
    free, count, numbers = free_memory(torch.device("cpu")), 0, 0

    def add(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal count, numbers
        count += 1
        numbers += 0 if parameter is None or isinstance(parameter, nn.UninitializedParameter) else parameter.numel()
        if count > MOST_TENSORS:
            raise TooLarge(f"network {card.name!r} would have over {MOST_TENSORS} layers with these options")
        if 4 * numbers > free:
            raise TooLarge(
                f"network {card.name!r} would have over {numbers / 1e9:.1f} billion parameters with these "
                f"options; {free / 1e9:.1f} GB of memory are free"
            )

    random = torch.get_rng_state()
    hook = register_module_parameter_registration_hook(add)
    try:
        with torch.device("meta"):
            card.build(options, parts)
    except TooLarge:
        raise
    except Exception as error:
        log.debug("network %r cannot be built without memory: %s", card.name, one_line(error))
    finally:
        hook.remove()
        torch.set_rng_state(random)


def _is_small(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= SMALL // 6 and all(map(_is_small, value))
    return not isinstance(value, dict) and (not isinstance(value, int) or value <= SMALL)
