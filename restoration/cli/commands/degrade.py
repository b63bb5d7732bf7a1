"""`restore degrade`: clean pictures in, damaged ones out, with recipes that damage them the same way again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoration.cli.options import SEED, keywords, names
from restoration.cli.places import STREAM, Job, jobs
from restoration.cli.task_options import TaskCommand, folders
from restoration.console import debug_option, echo_json, json_option, quiet_option, say, show_warnings
from restoration.errors import BadOption, RestorationError
from restoration.registry.cards import TaskCard

if TYPE_CHECKING:
    from restoration.degradation import Degradation


@click.command(cls=TaskCommand)
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@click.option("-t", "--task", shell_complete=names(TaskCard), help="How to damage them, see `restore tasks`.")
@click.option("-o", "--output", required=True, metavar="DIR", help="A folder for pictures and recipes.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the first picture; the next has the next.")
@click.option(
    "--recipe", type=click.Path(dir_okay=False, path_type=Path), help="A recipe written before: the same damage again."
)
@click.option(
    "--set", "options", multiple=True, callback=keywords, metavar="KEY=VALUE", help="Another option of the task."
)
@click.option("--overwrite", is_flag=True, help="Write over pictures that are already there.")
@json_option
@quiet_option
@debug_option
def degrade(
    images: tuple[str, ...],
    task: str | None,
    output: str,
    seed: int,
    recipe: Path | None,
    options: dict[str, Any],
    task_options: dict[str, Any],
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Damage clean pictures as a task does, for trying methods and for test sets.

    \b
    Examples:
      restore degrade --task denoise --sigma 25 photos/ -o noisy/
      restore degrade --task inpaint --kind text photo.png -o holes/
      restore degrade --recipe noisy/photo.json photo.png -o again/

    Every picture gets a recipe beside it, NAME.json. Masks and kernels that were drawn go to DIR/masks and DIR/kernels,
    where `restore run --mask DIR/masks` finds them by name.
    """
    show_warnings(quiet)
    from restoration.degradation import Degradation
    from restoration.tasks import check_options, options_of

    chosen = {**options, **task_options}
    if recipe is not None:
        if task or chosen:
            raise BadOption("a --recipe says all: leave out --task and the options of a task")
        plan = Degradation.from_file(recipe)
        task, chosen, seed = plan.task, plan.options, plan.seed
    if task is None:
        raise click.UsageError("say how to damage the pictures: --task T, or --recipe FILE")
    if output == STREAM:
        raise click.UsageError("every picture gets files beside it, so -o is a folder, not stdout")
    check_options(task, chosen)
    found = jobs(images, output.rstrip("/") + "/", "degrade", task, without=folders(chosen))
    todo = _checked([_kept_lossless(job) for job in found], overwrite)
    failed = 0
    for place, job in enumerate(todo):
        one = Degradation(task=task, options=options_of(task, chosen, job.source, place), seed=seed + place)
        try:
            _one(job, one, as_json)
        except (RestorationError, MemoryError) as error:
            failed += 1
            say(f"error: {error or 'out of memory'}")
    return 1 if failed else 0


def _one(job: Job, plan: Degradation, as_json: bool) -> None:
    """Damage one picture; print where it went."""
    from restoration.images import read

    if job.source is None or job.target is None:
        raise BadOption("degrade reads files and folders, not stdin")
    written = plan.write(read(job.source), job.target)
    if as_json:
        echo_json({"input": str(job.source), "output": str(job.target), **plan.facts(), "files": written})
    else:
        click.echo(str(job.target))


def _kept_lossless(job: Job) -> Job:
    """Damage is not to be encoded away: JPEG and WebP become PNG."""
    if job.target is None or job.target.suffix in (".png", ".tif", ".tiff"):
        return job
    return Job(source=job.source, target=job.target.with_suffix(".png"))


def _checked(todo: list[Job], overwrite: bool) -> list[Job]:
    """Refuse what would be written over, or twice: pictures, and what belongs to them by name."""
    written: set[Path] = set()
    for target in (job.target for job in todo if job.target is not None):
        if target.with_suffix("") in written:
            raise click.UsageError(f"two results would both be named {target.with_suffix('')}; degrade them one by one")
        written.add(target.with_suffix(""))
        beside = [target.parent / folder / f"{target.stem}.png" for folder in ("masks", "kernels")]
        there = [path for path in (target, target.with_suffix(".json"), *beside) if path.exists()]
        if there and not overwrite:
            raise click.UsageError(f"{there[0]} is already there; use --overwrite, or another -o")
    return todo
