"""`--samples`: several pictures of one input, their mean and a map of where they differ, all written or none."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.cli.doubtful import refusal
from restoration.cli.frames import Done, restored, with_work_of
from restoration.cli.places import doubtful_name
from restoration.cli.work import check_folder
from restoration.errors import RestorationError
from restoration.images.parts import AlreadyThere, Part
from restoration.samples import DEVIATION_SCALE, Gathered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from restoration.cli.plan import Job
    from restoration.cli.work import Taken, Work
    from restoration.interfaces import Result
    from restoration.picture import Picture

log = logging.getLogger("restoration")


@dataclass(frozen=True, kw_only=True)
class Drawn(Done):
    """What became of a file: also the map of the deviation of its first picture, and its deviation in levels of 255."""

    deviation: Picture
    levels: float


def draw(work: Work, job: Job, taken: Taken, observe: Callable[[Tensor], None], *, go_on: bool) -> Drawn:
    """Draw all samples of a job, the first with the seed of `work`, and write them, their deviation and their mean.

    Only sums are kept of them, not they themselves. With `go_on`, a file that is there already and the same stays.
    Raises `RestorationError`, and `Doubtful` for samples that are not plausible, which are then kept under other names.
    """
    assert job.target is not None
    target, *paths = map(Path, job.files)
    *numbered, map_path = paths
    for folder in {path.parent for path in (target, *paths)}:
        check_folder(folder)
    gathered = [Gathered() for _ in range(len(taken.pictures))]
    results: list[Result] = []
    with ExitStack() as stack:
        files = _Files(stack, work, taken, go_on=go_on)
        with work.shown(target, observe) as see:
            for number, path in enumerate(numbered):
                one, frames = replace(work, seed=work.seed + number), iter(gathered)
                done = restored(
                    taken.pictures, _suffix(path), partial(_draw_one, one, job, path, see, frames), work.quality
                )
                if done.result.ended == "Ctrl-C":
                    raise KeyboardInterrupt
                results.append(done.result)
                files.add(path, done.data)
        mean = _of_each(work, taken, target, results[0], [one.mean for one in gathered])
        spread = _of_each(work, taken, map_path, results[0], [one.deviation for one in gathered])
        files.add(map_path, spread.data)
        files.add(target, mean.data)
        if not any(one.levels for one in gathered):
            log.warning("%s: all samples are equal: %s drew nothing at random", job.name, results[0].method)
        result = with_work_of(results, results[0], "sample")
        if result.doubts and not work.accept:
            files.finish(doubtful=True)
            raise refusal(result, Path(doubtful_name(str(target))))
        files.finish()
    return Drawn(
        picture=done.picture,
        result=result,
        data=mean.data,
        deviation=gathered[0].deviation,
        levels=gathered[0].levels,
    )


def facts_of(job: Job, drawn: Drawn) -> dict[str, Any]:
    """Return what there is to know about samples beside what their results say."""
    *numbered, deviation = job.others
    return {
        "samples": numbered,
        "deviation": deviation,
        "deviation_scale": DEVIATION_SCALE,
        "deviation_levels": round(drawn.levels, 2),
    }


def _draw_one(
    work: Work, job: Job, path: Path, see: Callable[[Tensor], None], frames: Iterator[Gathered], picture: Picture
) -> Result:
    """Restore one picture of a file, and add it to what is gathered of it."""
    result = work.restore(job, path, see, picture)
    next(frames).add(result)
    return result


def _of_each(work: Work, taken: Taken, path: Path, result: Result, pictures: list[Picture]) -> Done:
    """Put pictures that take the place of those of a file together to one."""
    given = iter(pictures)
    return restored(taken.pictures, _suffix(path), lambda picture: replace(result, picture=next(given)), work.quality)


def _suffix(path: Path) -> str:
    return path.suffix.lower()


class _Files:
    """Files that are written one by one, and get their names together, in their order."""

    def __init__(self, stack: ExitStack, work: Work, taken: Taken, *, go_on: bool) -> None:
        self.stack, self.work, self.like, self.go_on = stack, work, taken.status, go_on
        self.parts: list[Part] = []

    def add(self, path: Path, data: bytes) -> None:
        """Write a file that has no name yet. Raises `RestorationError` for another of its name."""
        if os.path.lexists(path) and not self.work.overwrite:
            if self.go_on and path.is_file() and path.read_bytes() == data:
                return
            raise RestorationError(f"{path} is already there, and not what would be written; use --overwrite")
        part = Part(path, overwrite=self.work.overwrite, like=self.like, keep_time=self.work.keep_time)
        self.stack.callback(part.discard)
        self.parts.append(part)
        part.write(data)

    def finish(self, *, doubtful: bool = False) -> None:
        """Give the files their names, or those of doubtful results, of which what was kept before stays."""
        for part in self.parts:
            part.path = Path(doubtful_name(str(part.path))) if doubtful else part.path
            try:
                part.finish()
            except AlreadyThere:
                if not doubtful:
                    raise
