"""`restore run`: pictures in, restored pictures out."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoration.cli.options import how_to_restore, method_and_task
from restoration.cli.places import Job, jobs
from restoration.cli.task_options import TaskCommand, folders
from restoration.console import (
    answers_apart,
    debug_option,
    echo_json,
    interruptible,
    is_terminal,
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
    "-o",
    "--output",
    metavar="PATH",
    help='Where results go: a file, a folder (DIR/), - for stdout, or a template such as "out/{name}.{method}{ext}".  '
    "[default: NAME.restored.EXT beside each picture]",
)
@click.option("--overwrite", is_flag=True, help="Overwrite results that exist.")
@click.option("--skip-existing", is_flag=True, help="Skip pictures of which the result exists.")
@how_to_restore
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write an HTML page with each picture before and after.",
)
@click.option("--preview", is_flag=True, help="Show estimates in NAME.restored.preview.png while the method works.")
@click.option("--dry-run", is_flag=True, help="Show what would be done without doing it.")
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

    Results are written beside the pictures as NAME.restored.EXT, and their paths are printed. Files that exist are only
    overwritten with --overwrite.
    """
    show_warnings(quiet)
    todo = jobs(images, output, method, task, without=folders(task_options))
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
    batch = _Batch(restoration, seed, as_json, quiet, keep=report is not None, preview=preview)
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


class _Batch:
    """Does jobs one by one; one that fails is told and does not stop the others."""

    def __init__(
        self, restoration: Restoration, seed: int, as_json: bool, quiet: bool, *, keep: bool, preview: bool
    ) -> None:
        self.restoration, self.seed, self.as_json, self.quiet = restoration, seed, as_json, quiet
        self.keep, self.preview = keep, preview
        self.failed = 0
        self.untold: list[str] = []
        self.waits = progress_wanted(quiet) and is_terminal(sys.stdout)
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
        from restoration.images import encode, read, write

        picture = read(job.source) if job.source else read(sys.stdin.buffer.read(), name)
        if job.target is not None:
            _check_folder(job.target)
        with _preview(job.target if self.preview else None, observe) as see, answers_apart():
            result = self.restoration(picture, seed=self.seed, task_options=task_options, observe=see)
        if job.target is None:
            sys.stdout.buffer.write(encode(result.picture, picture.suffix))
            sys.stdout.buffer.flush()
        else:
            write(result.picture, job.target)
        return picture, result


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

    from restoration.images import SUFFIXES, can_write, make_folder

    make_folder(target.parent)
    if not os.access(target.parent, os.W_OK):
        raise RestorationError(f"cannot write into {target.parent}: permission denied; choose another -o")
    if not can_write(target.suffix.lower()):
        raise RestorationError(f"cannot write {target}: use one of {', '.join(SUFFIXES)}")


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
