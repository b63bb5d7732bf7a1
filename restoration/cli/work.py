"""One picture of a batch: read, restored, shown on its way, written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.cli.doubtful import examined, refusal
from restoration.cli.frames import Done, restored
from restoration.cli.places import doubtful_name
from restoration.console import CLOSED, answers_apart
from restoration.errors import BadPicture, RestorationError
from restoration.images import make_folder, read_all, read_stream, write_bytes
from restoration.images.limits import check_size
from restoration.images.parts import AlreadyThere

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.cli.plan import Job
    from restoration.images.pictures import Pictures
    from restoration.interfaces import Result
    from restoration.picture import Picture
    from restoration.runtime import Restoration
    from restoration.tasks import OwnOptions


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The pictures of a file as it was opened, and what the system says of it, if it is a file."""

    pictures: Pictures
    status: os.stat_result | None = None


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is done to every picture: `restoration` with `task_options`, and how its result is written.

    `quality` is that of JPEG and the like, `suffix` that of results which go to stdout, None for the picture's own.
    `accept` takes results that are not plausible.
    """

    restoration: Restoration
    task_options: OwnOptions
    seed: int
    overwrite: bool
    keep_time: bool
    preview: bool
    quality: int | None = None
    suffix: str | None = None
    accept: bool = False

    def __call__(self, job: Job, taken: Taken, observe: Callable[[Tensor], None]) -> Done:
        """Do a job and return what came of it. `observe` sees every estimate, `1 c h w`.

        Raises `RestorationError`, before the work for what can be known before it, and `Doubtful` for a result that is
        not plausible, which is then kept under another name.
        """
        target = None if job.target is None else Path(job.target)
        suffix = target.suffix.lower() if target is not None else self.suffix or taken.pictures.suffix
        if target is not None:
            check_folder(target.parent)
        with self.shown(target, observe) as see:
            restore = partial(self.restore, job, target or Path(f"stdin{suffix}"), see)
            done = restored(taken.pictures, suffix, restore, self.quality)
        refused = bool(done.result.doubts) and not self.accept
        if target is None:
            if refused:
                raise refusal(done.result, None)
            _put_out(done.data)
            return done
        place = Path(doubtful_name(str(target))) if refused else target
        with suppress(*([AlreadyThere] if refused else [])):  # it was kept before
            write_bytes(done.data, place, overwrite=self.overwrite, like=taken.status, keep_time=self.keep_time)
        if refused:
            raise refusal(done.result, place)
        return done

    def restore(self, job: Job, target: Path, see: Callable[[Tensor], None], picture: Picture) -> Result:
        """Restore one picture of a job, for a file that must be able to hold the result."""
        source = None if job.source is None else Path(job.source)
        with answers_apart():
            observation = self.restoration.describe(picture, self.task_options.of(source, job.place))
            check_size(target, *observation.y.shape[-2:])
            result = self.restoration(picture, seed=self.seed, observation=observation, observe=see)
        return examined(observation, result)

    def shown(
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
    ended = [] if result.ended == "done" else [f"ended by {result.ended}"]
    return ", ".join([*facts, *ended, *(f"accepted, though {doubt}" for doubt in result.doubts)])


def facts(job: Job, result: Result) -> dict[str, Any]:
    """Return what there is to know about a job that was done."""
    return {"input": job.name, "output": job.target or "-", **result.facts()}


def take(job: Job, *, damaged: bool = False) -> Taken:
    """Open the pictures of a job, of `damaged` files what there is. Raises `BadPicture`."""
    if job.source is not None:
        try:
            return Taken(pictures=read_all(job.source, damaged=damaged), status=os.stat(job.source))
        except OSError as error:
            raise BadPicture(f"{job.source}: {error.strerror}") from error
    try:
        return Taken(pictures=read_stream(sys.stdin.buffer, job.name, damaged=damaged))
    except OSError as error:
        raise BadPicture(f"stdin cannot be read: {error.strerror}") from error


def _put_out(data: bytes) -> None:
    """Write a picture to stdout."""
    if "stdout" in CLOSED:
        raise RestorationError("cannot write to stdout: it is closed")
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RestorationError(f"cannot write to stdout: {error.strerror}") from error


def check_folder(folder: Path) -> None:
    """Make the folder of a result before the work, not after it."""
    make_folder(folder)
    if not os.access(folder, os.W_OK):
        raise RestorationError(f"cannot write into {folder}: it is read-only, or not yours; choose another -o")
