"""`restore run`: pictures in, restored pictures out."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoration.cli.frames import output_options, restored
from restoration.cli.options import how_to_restore, method_and_task
from restoration.cli.places import Job, jobs
from restoration.cli.task_options import TaskCommand, folders
from restoration.console import (
    answers_apart,
    debug_option,
    echo_json,
    interruptible,
    json_option,
    progress_wanted,
    quiet_option,
    say,
    show_warnings,
)
from restoration.errors import RestorationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from restoration.interfaces import Result
    from restoration.picture import Picture
    from restoration.runtime import Restoration


@click.command(cls=TaskCommand, describing=True)
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@method_and_task
@click.option(
    "-o", "--output", help='FILE, DIR/, - or a template: "{name}.{method}{ext}".  [default: NAME.restored.EXT]'
)
@click.option("--overwrite", is_flag=True, help="Write over results that are already there.")
@click.option("--skip-existing", is_flag=True, help="Leave inputs alone whose result is already there.")
@output_options
@how_to_restore
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Also write a page with before and after."
)
@click.option("--preview", is_flag=True, help="Show guesses in NAME.restored.preview.png while the method works.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@json_option
@quiet_option
@debug_option
def run(
    images: tuple[str, ...],
    method: str,
    task: str,
    output: str | None,
    overwrite: bool,
    skip_existing: bool,
    damaged: bool,
    jpeg_quality: int | None,
    suffix: str | None,
    task_options: dict[str, Any],
    options: dict[str, Any],
    seed: int,
    threads: int | None,
    report: Path | None,
    preview: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    **how: Any,
) -> int:
    """Restore pictures: files, folders, or - for stdin.

    \b
    Examples:
      restore run -m ir-sde -t derain rainy.png
      restore run -m regression -t derain photos/ -o restored/ --skip-existing
      cat rainy.jpg | restore run -m ir-sde -t derain - > clean.png

    Results are named NAME.restored.EXT beside their inputs; their paths are printed. Nothing is overwritten unasked.
    """
    show_warnings(quiet)
    todo = jobs(images, output, method, task, without=folders(task_options), suffix=suffix)
    todo = _todo(todo, overwrite, skip_existing, quiet)
    if dry_run:
        return _dry_run(todo, method, task, how, as_json)
    if not todo:
        return 0
    from restoration.engine.hardware import prepare
    from restoration.runtime import Restoration
    from restoration.tasks import options_of

    prepare(threads)
    restoration = Restoration(method, task, task_options=task_options, options=options, **how)
    files = _Files(damaged=damaged, quality=jpeg_quality, suffix=suffix)
    batch = _Batch(restoration, seed, as_json, quiet, files, keep=report is not None, preview=preview)
    try:
        with interruptible() as check, _bar(len(todo), quiet) as step:
            for place, job in enumerate(todo):
                batch.do(job, options_of(task, task_options, job.source, place), step)
                check()
    finally:
        batch.tell()
    if report is not None and batch.pairs:
        from restoration.scoring.page import before_and_after

        before_and_after(batch.pairs, report)
        (say if as_json else click.echo)(str(report))
    return 1 if batch.failed else 0


@dataclass(frozen=True, kw_only=True)
class _Files:
    """How files are read and written."""

    damaged: bool
    quality: int | None
    suffix: str | None


class _Batch:
    """Does jobs one by one; one that fails is told and does not stop the others."""

    def __init__(
        self,
        restoration: Restoration,
        seed: int,
        as_json: bool,
        quiet: bool,
        files: _Files,
        *,
        keep: bool,
        preview: bool,
    ) -> None:
        self.restoration, self.seed, self.as_json, self.quiet = restoration, seed, as_json, quiet
        self.files = files
        self.keep, self.preview = keep, preview
        self.failed = 0
        self.untold: list[str] = []
        self.waits = progress_wanted(quiet) and sys.stdout.isatty()
        self.pairs: list[tuple[str, Picture, Picture, dict[str, Any]]] = []

    def do(self, job: Job, task_options: dict[str, Any], step: Callable[[str, Tensor | None], None]) -> None:
        """Read, restore, write, print."""
        name = str(job.source) if job.source else "stdin"
        try:
            picture, result = self._restore(job, name, task_options, lambda guess: step(name, guess))
        except (RestorationError, MemoryError) as error:
            self.failed += 1
            say(f"error: {error or 'out of memory; use a smaller --tile'}")
            if self.as_json:
                echo_json({"input": name, "error": str(error)})
        else:
            if self.as_json:
                echo_json({"input": name, "output": str(job.target) if job.target else "-", **result.facts()})
            elif job.target:
                self.untold.append(str(job.target))
            if not self.quiet and (result.told or result.ended != "done"):
                say(f"{name}: {_told(result)}")
            if self.keep:
                self.pairs.append((name, picture, result.picture, result.facts()))
        step(name, None)
        if not self.waits:
            self.tell()

    def tell(self) -> None:
        """Print the paths written since the last time: at once, or after a bar that is drawn on the same terminal."""
        while self.untold:
            click.echo(self.untold.pop(0))

    def _restore(
        self, job: Job, name: str, task_options: dict[str, Any], observe: Callable[[Tensor], None]
    ) -> tuple[Picture, Result]:
        from restoration.images import read_all, write_bytes

        pictures = read_all(job.source or sys.stdin.buffer, name, damaged=self.files.damaged)
        if job.target is not None:
            _check_folder(job.target)
        suffix = job.target.suffix.lower() if job.target else self.files.suffix or pictures.suffix
        with _preview(job.target if self.preview else None, observe) as see, answers_apart():
            restore = partial(self.restoration, seed=self.seed, task_options=task_options, observe=see)
            done = restored(pictures, suffix, restore, self.files.quality)
        if job.target is None:
            sys.stdout.buffer.write(done.data)
            sys.stdout.buffer.flush()
        else:
            write_bytes(done.data, job.target)
        return done.picture, done.result


def _told(result: Result) -> str:
    """What a method says about its work, in a line."""
    facts = [f"{name} {value}" for name, value in result.told.items()]
    return ", ".join(facts + ([] if result.ended == "done" else [f"ended by {result.ended}"]))


def _preview(
    target: Path | None, observe: Callable[[Tensor], None]
) -> AbstractContextManager[Callable[[Tensor], None]]:
    """A function that sees guesses as `observe` does, and shows some of them in a file beside the result."""
    if target is None:
        return nullcontext(observe)
    from restoration.cli.preview import previewed

    return previewed(target.with_name(f"{target.stem}.preview.png"), observe)


def _check_folder(target: Path) -> None:
    """Make the folder of a result before the work, not after it."""
    import os

    from restoration.images import can_write, make_folder, writable

    make_folder(target.parent)
    if not os.access(target.parent, os.W_OK):
        raise RestorationError(f"cannot write into {target.parent}: permission denied; choose another -o")
    if not can_write(target.suffix.lower()):
        raise RestorationError(f"cannot write {target}: use one of {', '.join(writable())}")


def _todo(all_jobs: list[Job], overwrite: bool, skip_existing: bool, quiet: bool) -> list[Job]:
    """Leave out or refuse results that are already there."""
    there = [job for job in all_jobs if job.target is not None and job.target.exists()]
    if there and not overwrite and not skip_existing:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise click.UsageError(f"{there[0].target}{more} already there; use --overwrite or --skip-existing")
    if not skip_existing:
        return all_jobs
    if there and not quiet:
        say(f"{len(there)} already there, skipped")
    return [job for job in all_jobs if job not in there]


def _dry_run(todo: list[Job], method: str, task: str, how: dict[str, Any], as_json: bool) -> int:
    """Say what would be read and written, and with which weights."""
    from restoration.weights import resolve

    folder = resolve(how["weights"], method, task, offline=how["offline"])
    facts = {"method": method, "task": task, "weights": folder.origin if folder else None}
    if folder:
        facts["weights_mb"] = f"{folder.size() / 1e6:.1f}"
    for job in todo:
        names = {"input": str(job.source or "-"), "output": str(job.target or "-")}
        if as_json:
            echo_json({**names, **facts})
        else:
            click.echo(f"{names['input']} -> {names['output']}  ({method}, {task}, weights {facts['weights']})")
    return 0


def _bar(total: int, quiet: bool) -> AbstractContextManager[Callable[[str, Tensor | None], None]]:
    """A function to call after each guess, and with None after each picture; it draws a bar on a terminal."""
    if not progress_wanted(quiet):
        return nullcontext(lambda name, guess: None)
    from restoration.cli.progress import picture_bar

    return picture_bar(total)
