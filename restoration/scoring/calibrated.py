"""How honest the samples of a method are, on pictures of which the clean version is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from restoration.calibration import Calibration, calibrate
from restoration.errors import BadOption
from restoration.picture import with_channels
from restoration.scoring.score import Scoring

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from torch import Tensor

    from restoration.runtime import Restoration

APART = 1_000_000
"""Seeds between those of the damage and those of samples: what is drawn must not be the noise of the damage again."""

EXPLAINED = {
    "blocks": (
        "correlation, 8x8",
        "of deviation and error of the mean in blocks: 1 if samples differ where it is wrong",
    ),
    "pixels": ("correlation, pixels", "the same in single pixels"),
    "coverage": ("coverage", "share of clean values in intervals that are to hold 0.9, scaled on the other pictures"),
    "scale": ("scale", "of these intervals: 1.64 deviations or little more if the deviation is that of the truth"),
    "deviation": ("deviation", "levels of 255, root mean square"),
    "damaged": ("deviation, damaged", "the same where pictures are damaged by 8 levels or more"),
    "flat": ("deviation, flat", "the same where they are flat, and damaged by a level at most"),
    "count": ("pictures", "how many were measured"),
}
"""What tables call the fields of a `Calibration`, and what these mean."""


def calibrated(
    restoration: Restoration,
    data: Path,
    *,
    samples: int = 8,
    seed: int = 0,
    limit: int = 0,
    observe: Callable[[int, int], None] = lambda done, total: None,
) -> Calibration:
    """Measure the samples of a method on pictures. Raises `RestorationError`.

    * `restoration`: the method.
    * `data`: a folder of pairs, or of clean pictures, which the task degrades.
    * `samples`: how many are drawn of each picture.
    * `seed`: the seed of the first picture's damage; those of samples are a million higher.
    * `limit`: only the first so many pictures; 0 for all.
    * `observe`: called with the numbers of pictures done and in all.
    """
    restoration.check_draws()
    scoring = Scoring({restoration.method: restoration}, data, seed=seed, limit=limit)
    if len(scoring) < 2:
        raise BadOption(f"{data}: intervals are scaled on some pictures and tried on others; give two or more")

    def drawn() -> Iterator[tuple[Iterable[Tensor], Tensor, Tensor]]:
        for index in range(len(scoring)):
            clean, observation = scoring.observed(index)
            channels, height, width = clean.shape[1:]
            results = restoration.samples(observation, samples, seed=seed + APART)
            yield (
                (with_channels(one.picture.pixels[..., :height, :width], channels) for one in results),
                clean,
                with_channels(observation.y[..., :height, :width], channels),
            )
            observe(index + 1, len(scoring))

    try:
        return calibrate(drawn())
    except ValueError as error:
        raise BadOption(f"{data}: {error}") from error
