"""The tensors of a network among all that a file of published code holds, and what their names and shapes say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from restoration.layouts import without_prefix

if TYPE_CHECKING:
    from torch import Tensor

AVERAGED = "ema_model."
"""The prefix of averaged weights, where a file holds those of the last step beside them."""
INNER = "model."
"""The prefix of a network inside its diffusion, whose tables lie beside it."""


def unwrapped(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the tensors of the network, and those that lay beside it, each without prefixes.

    Averaged weights come first; then what is inside a diffusion, or in DataParallel.
    """
    state = without_prefix(tensors, "module.")
    averaged = {name.removeprefix(AVERAGED): value for name, value in state.items() if name.startswith(AVERAGED)}
    state = without_prefix(averaged or state, "module.")
    inner = {name.removeprefix(INNER): value for name, value in state.items() if name.startswith(INNER)}
    if not inner:
        return state, {}
    return inner, {name: value for name, value in state.items() if not name.startswith(INNER)}


def count(state: Mapping[str, Tensor], stem: str) -> int:
    """Return how many numbered parts a module has, the last of which has tensors."""
    start = stem.count(".") + 1
    return max((int(name.split(".")[start]) for name in state if name.startswith(f"{stem}.")), default=-1) + 1


def multiples(widths: list[int], width: int) -> list[float]:
    """Return widths as multiples of one of them, whole ones as whole numbers."""
    return [wide // width if wide % width == 0 else wide / width for wide in widths]


def letters(channels: int) -> str:
    """Return the channels of pictures as a recipe names them."""
    return "rgb" if channels == 3 else "y"


def without_variance(state: Mapping[str, Tensor], last: str, channels: int) -> dict[str, Tensor]:
    """Return tensors whose `last` layer predicts nothing but the first channels: the others are a learned variance."""
    wanted = {f"{last}.weight", f"{last}.bias"}
    return {name: value[:channels] if name in wanted else value for name, value in state.items()}
