"""Maps of the noise of a picture: its standard deviation at every pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from restoration import BadOption
from restoration_tasks.numbers import read_numbers

if TYPE_CHECKING:
    from torch import Tensor


def read_map(given: object, size: tuple[int, int]) -> Tensor:
    """Return a map of noise in levels of 255 as `1 1 h w` in units of [0, 1], for a picture of a height and width.

    A picture's own levels are those of the noise: of 8 bits, a grey of 25 is a standard deviation of 25. Several
    channels become their mean. Raises `BadOption`.
    """
    found = read_numbers(given, "sigma")
    if found.size != size:
        sides = f"{found.size[1]}x{found.size[0]}", f"{size[1]}x{size[0]}"
        raise BadOption(f"the map of noise {found.name} is {sides[0]}, the picture {sides[1]}; make them one size")
    levels = found.grey() * (255 if found.drawn else 1)
    if not 0 <= float(levels.min()) <= float(levels.max()) <= 255:
        raise BadOption(
            f"the map of noise {found.name} must be from 0 to 255, not {levels.min():g} to {levels.max():g}"
        )
    return (levels / 255).float()[None, None]
