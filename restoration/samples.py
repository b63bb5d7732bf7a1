"""Several pictures that may all be the clean one: their mean, and a map of where they differ.

Only the mean and the squares of the differences are kept, not the pictures.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from restoration.calibration import Moments, root_mean_square
from restoration.errors import BadOption
from restoration.picture import Picture

if TYPE_CHECKING:
    from restoration.interfaces import Result

DEVIATION_SCALE = 4
"""How much lighter than the deviation its map is: white stands for a standard deviation of 64 levels or more."""


class Gathered:
    """The mean of results, and where they differ; the results themselves are not kept."""

    def __init__(self) -> None:
        self._moments = Moments()
        self._last: Result | None = None

    def add(self, result: Result) -> None:
        """Add a result of the same picture as those before."""
        self._moments.add(result.picture.pixels)
        self._last = result

    @property
    def mean(self) -> Picture:
        """The mean of the pictures, with all that belongs to them beside the pixels. Raises `ValueError` of none."""
        mean = self._moments.mean
        assert self._last is not None
        return replace(self._last.picture, pixels=mean)

    @property
    def deviation(self) -> Picture:
        """A grey picture of 16 bits, `1 1 h w`: the standard deviation of the samples times `DEVIATION_SCALE`.

        It is the root mean square over the channels. Raises `ValueError` for less than two samples.
        """
        deviation = root_mean_square(self._moments.deviation)
        assert self._last is not None
        picture = self._last.picture
        return Picture(
            pixels=(DEVIATION_SCALE * deviation).clamp(0, 1), bits=16, suffix=picture.suffix, dpi=picture.dpi
        )

    @property
    def levels(self) -> float:
        """The deviation over the whole picture, in levels of 255: its root mean square."""
        return 255 * float(self._moments.deviation.square().mean().sqrt())


class Samples(Gathered):
    """Draws pictures while they are iterated over; `mean` and `deviation` are of those drawn so far.

    Example: `drawn = Restoration("ir-sde", "sr", realism=1).samples("small.png", 8)`, then `for result in drawn: ...`,
    and `restoration.write(drawn.deviation, "deviation.png")`.
    """

    def __init__(self, draw: Callable[[int], Result], count: int) -> None:
        """`draw` returns the sample of a number, from 0 to `count - 1`. Raises `BadOption` for less than two."""
        super().__init__()
        if count < 2:
            raise BadOption(f"samples are two or more, or they have no deviation, not {count}")
        self._draw, self.count = draw, count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Result]:
        self._moments, self._last = Moments(), None
        for number in range(self.count):
            result = self._draw(number)
            self.add(result)
            yield result


def parse_seed(seed: object) -> int:
    """Return a seed as a whole number that a generator takes. Raises `BadOption` for anything else."""
    try:
        number = operator.index(seed)  # type: ignore[arg-type]  # what is no number raises
    except TypeError:
        number = -1
    if isinstance(seed, bool) or not 0 <= number < 2**63:
        raise BadOption(f"seed is a whole number from 0 on, not {seed!r}")
    return number
