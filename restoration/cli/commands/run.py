"""`restore run`: pictures in, restored pictures out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoration.cli.asked import complete_names
from restoration.cli.batch import Batch
from restoration.cli.checks import check_format, check_report, check_streams, remark_quality
from restoration.cli.dry_run import print_plan
from restoration.cli.frames import output_options
from restoration.cli.headings import RESULTS, under
from restoration.cli.options import how_to_restore, method_and_task
from restoration.cli.originals import files_of
from restoration.cli.places import Places
from restoration.cli.plan import plan
from restoration.cli.task_options import TaskCommand, files, folders
from restoration.console import (
    answers_apart,
    debug_option,
    interruptible,
    json_option,
    progress_wanted,
    quiet_option,
    say,
    show_warnings,
)

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.cli.work import Work
    from restoration.scoring.report import Report


results = under(RESULTS)


@click.command(cls=TaskCommand, describing=True)
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@method_and_task
@results(
    "-o",
    "--output",
    metavar="PATH",
    help='Where results go: a file, a folder (DIR/), - for stdout, or a template such as "out/{name}.{method}{ext}", '
    "which may also have {folder} and {task}.  [default: NAME.restored.EXT beside each picture]",
)
@results("--overwrite", is_flag=True, help="Overwrite results that exist, but never a picture that is read.")
@results("--skip-existing", is_flag=True, help="Skip pictures of which the result exists.")
@results(
    "--accept", is_flag=True, help="Take results that are not plausible, instead of keeping them as NAME.doubtful.EXT."
)
@results(
    "--samples",
    type=click.IntRange(2),
    metavar="N",
    help="Draw N results of each picture, with seeds that follow one another: NAME.restored.1.EXT to "
    "NAME.restored.N.EXT; with their mean, NAME.restored.mean.EXT, and NAME.restored.deviation.EXT, grey, where they "
    "differ: the standard deviation times 4, so that white is 64 levels or more. -o may have {sample}.",
)
@results("--keep-time", is_flag=True, help="Give each result the modification time of its picture.")
@output_options
@how_to_restore
@results(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write an HTML page with each picture before and after.",
)
@results("--preview", is_flag=True, help="Show estimates in NAME.restored.preview.png while the method works.")
@results("--dry-run", is_flag=True, help="Show what would be done without doing it.")
@json_option
@quiet_option
@debug_option
def run(
    images: tuple[str, ...],
    method: str | None,
    task: str | None,
    output: str | None,
    overwrite: bool,
    skip_existing: bool,
    accept: bool,
    samples: int | None,
    keep_time: bool,
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
      restore run -m regression -t derain photos/ -o "restored/{folder}/{name}.png"
      restore run --weights some_network_x4.pth small.png
      cat rainy.jpg | restore run -m ir-sde -t derain - > clean.png

    Results are written beside the pictures as NAME.restored.EXT, and their paths are printed. Files that exist are only
    overwritten with --overwrite. When the same command runs again, its results are not restored again.
    """
    show_warnings(quiet)
    method, task = complete_names(method, task, how["weights"], offline=how["offline"])
    read = [*files(task_options), *files_of(how["weights"])]
    places = Places(output, method, task, suffix=suffix, samples=samples or 0)
    made = plan(images, places, files=read, folders=folders(task_options))
    made.settle(overwrite=overwrite, skip_existing=skip_existing)
    check_streams(made, places)
    check_format(places)
    if jpeg_quality is not None and not quiet:
        remark_quality(made)
    if report is not None and made.jobs:
        check_report(report, made, overwrite=overwrite, skip_existing=skip_existing)
    if dry_run:
        return print_plan(made, method, task, how, as_json=as_json, quiet=quiet)
    if task_options:
        from restoration.tasks import check_described, check_options

        check_options(task, task_options)
        check_described(task, task_options, method, consistent=how["consistent"])
    made.clear_leftovers()
    if not made.jobs:
        with Batch(made, as_json=as_json, quiet=quiet) as batch:
            return batch.code
    from restoration.cli.work import Work
    from restoration.engine.hardware import prepare
    from restoration.runtime import Restoration
    from restoration.scoring.report import Report
    from restoration.tasks import OwnOptions

    prepare(threads)
    with answers_apart():
        restoration = Restoration(method, task, task_options=task_options, options=options, **how)
    if samples:
        restoration.check_draws()
    work = Work(
        restoration=restoration,
        task_options=OwnOptions(task, restoration.task_options, describing=True),
        seed=seed,
        overwrite=overwrite,
        keep_time=keep_time,
        accept=accept,
        preview=preview,
        quality=jpeg_quality,
        suffix=suffix,
    )
    page = None if report is None else Report(report, overwrite=overwrite, go_on=skip_existing and not overwrite)
    with Batch(made, as_json=as_json, quiet=quiet, skip_existing=skip_existing) as batch:
        try:
            _restore_all(batch, work, page, damaged=damaged)
        finally:
            _finish(batch, page)
    return batch.code


def _restore_all(batch: Batch, work: Work, page: Report | None, *, damaged: bool) -> None:
    """Restore picture by picture, and tell what came of each."""
    from restoration.cli.drawing import draw, facts_of
    from restoration.cli.work import facts, take, told

    with interruptible() as check, _bar(batch.total, batch.quiet) as step:

        def observe(name: str, estimate: Tensor) -> None:
            step(name, estimate)
            check()

        for job in batch.plan.jobs:
            with batch.trying(job):
                batch.check(job)
                taken = take(job, damaged=damaged)
                check()
                see = partial(observe, job.name)
                drawn = draw(work, job, taken, see, go_on=batch.skip_existing) if job.others else None
                done = drawn or work(job, taken, see)
                result, more = done.result, facts_of(job, drawn) if drawn else {}
                if batch.as_json:
                    batch.answer(facts(job, result) | more)
                for path in () if batch.as_json else (*job.others, *([job.target] if job.target else [])):
                    batch.answer(path)
                if not batch.quiet and told(result):
                    say(f"{job.name}: {told(result)}")
                if page is not None:
                    with batch.watching():
                        shown = result.facts() | {name: value for name, value in more.items() if name != "samples"}
                        page.add(job.name, done.picture, result.picture, shown, drawn.deviation if drawn else None)
            step(job.name, None)
            check()


def _finish(batch: Batch, page: Report | None) -> None:
    """Put the page in its place, also for pictures that were done before an interruption."""
    if page is not None:
        with batch.watching():
            if page.finish():
                batch.note(str(page.path))


def _bar(total: int, quiet: bool) -> AbstractContextManager[Callable[[str, Tensor | None], None]]:
    """A function to call after each estimate, and with None after each picture; it draws a bar on a terminal."""
    if not progress_wanted(quiet):
        return nullcontext(lambda name, estimate: None)
    from restoration.cli.progress import picture_bar

    return picture_bar(total)
