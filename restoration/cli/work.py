"""One picture of a batch: read, restored, shown on its way, written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.console import answers_apart
from restoration.errors import BadPicture, RestorationError
from restoration.images import encode, make_folder, read, write
from restoration.images.limits import check_size
from restoration.tasks import options_of

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.cli.plan import Job
    from restoration.interfaces import Result
    from restoration.picture import Picture
    from restoration.runtime import Restoration


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A picture as it was read, and what the system says of its file, if it is one."""

    picture: Picture
    status: os.stat_result | None = None


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is done to every picture: `restoration`, and how its result is written."""

    restoration: Restoration
    seed: int
    overwrite: bool
    keep_time: bool
    preview: bool

    def __call__(self, job: Job, taken: Taken, observe: Callable[[Tensor], None]) -> Result:
        """Do a job and return what came of it. `observe` sees every estimate, `1 c h w`.

        Raises `RestorationError`, before the work for what can be known before it.
        """
        picture = taken.picture
        target = None if job.target is None else Path(job.target)
        source = None if job.source is None else Path(job.source)
        options = options_of(self.restoration.task, self.restoration.task_options, source, job.place)
        observation = self.restoration.describe(picture, options)
        check_size(target or Path(f"stdin{picture.suffix}"), *observation.y.shape[-2:])
        if target is not None:
            _check_folder(target.parent)
        with self._shown(target, observe) as see, answers_apart():
            result = self.restoration(picture, seed=self.seed, observation=observation, observe=see)
        if target is None:
            _put_out(encode(result.picture, picture.suffix))
        else:
            write(result.picture, target, overwrite=self.overwrite, like=taken.status, keep_time=self.keep_time)
        return result

    def _shown(
        self, target: Path | None, observe: Callable[[Tensor], None]
    ) -> AbstractContextManager[Callable[[Tensor], None]]:
        """A function that sees estimates as `observe` does, and shows some of them in a file beside the result."""
        if target is None or not self.preview:
            return nullcontext(observe)
        from restoration.cli.preview import preview_of, previewed

        return previewed(preview_of(target), observe)


def told(result: Result) -> str:
    """Return what a method says about its work, and how it ended if not by itself, in a line; "" if nothing."""
    facts = [f"{name} {value}" for name, value in result.told.items()]
    return ", ".join(facts + ([] if result.ended == "done" else [f"ended by {result.ended}"]))


def facts(job: Job, result: Result) -> dict[str, Any]:
    """Return what there is to know about a job that was done."""
    return {"input": job.name, "output": job.target or "-", **result.facts()}


def take(job: Job) -> Taken:
    """Read the picture of a job. Raises `BadPicture`."""
    if job.source is not None:
        try:
            return Taken(picture=read(job.source), status=os.stat(job.source))
        except OSError as error:
            raise BadPicture(f"{job.source}: {error.strerror}") from error
    try:
        return Taken(picture=read(sys.stdin.buffer.read(), job.name))
    except OSError as error:
        raise BadPicture(f"stdin cannot be read: {error.strerror}") from error


def _put_out(data: bytes) -> None:
    """Write a picture to stdout."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RestorationError(f"cannot write to stdout: {error.strerror}") from error


def _check_folder(folder: Path) -> None:
    """Make the folder of a result before the work, not after it."""
    make_folder(folder)
    if not os.access(folder, os.W_OK):
        raise RestorationError(f"cannot write into {folder}: permission denied; choose another -o")
