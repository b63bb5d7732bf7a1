"""`restore degrade`: clean pictures in, damaged ones out, with recipes that damage them the same way again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from restoration.cli.batch import Batch
from restoration.cli.headings import under
from restoration.cli.inputs import STREAM
from restoration.cli.options import SEED, names
from restoration.cli.places import Places
from restoration.cli.plan import plan
from restoration.cli.task_options import TaskCommand, files, folders
from restoration.console import (
    answers_apart,
    debug_option,
    interruptible,
    json_option,
    keywords,
    quiet_option,
    show_warnings,
)
from restoration.errors import BadOption
from restoration.registry.cards import TaskCard

damage, results = under("Damage"), under("Results")


@click.command(cls=TaskCommand)
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@damage(
    "-t",
    "--task",
    metavar="NAME",
    shell_complete=names(TaskCard),
    help="Damage to add; `restore tasks` lists what there is.",
)
@results("-o", "--output", required=True, metavar="DIR", help="Folder for the damaged pictures and their recipes.")
@damage(
    "--seed",
    type=SEED,
    metavar="N",
    default=0,
    show_default=True,
    help="Random seed of the first picture; each further picture has the next number.",
)
@damage(
    "--recipe",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Recipe of a damaged picture, NAME.json, for the same damage again.",
)
@damage(
    "--set",
    "options",
    multiple=True,
    callback=keywords,
    metavar="KEY=VALUE",
    help="Set another option of the task. May be repeated.",
)
@results("--overwrite", is_flag=True, help="Overwrite pictures that exist.")
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

    A recipe, NAME.json, is written beside each picture. Masks and kernels that were drawn are written to DIR/masks and
    DIR/kernels, where `restore run --mask DIR/masks` finds them by name.
    """
    show_warnings(quiet)
    from restoration.degradation import Degradation, files_beside
    from restoration.images import is_picture
    from restoration.images import read as read_picture
    from restoration.tasks import OwnOptions, check_options

    chosen = {**options, **task_options}
    if recipe is not None:
        if task or chosen:
            raise BadOption("a --recipe says all: leave out --task and the options of a task")
        recorded = Degradation.from_file(recipe)
        task, chosen, seed = recorded.task, recorded.options, recorded.seed
    if task is None:
        raise click.UsageError("say how to damage the pictures: --task T, or --recipe FILE")
    if output == STREAM:
        raise click.UsageError("every picture gets files beside it, so -o is a folder, not stdout")
    if is_picture(output) and not os.path.isdir(output):
        raise click.UsageError(
            f"every picture gets files beside it, so -o is a folder, and {output} would be a picture"
        )
    check_options(task, chosen)
    folder = output if os.path.isdir(output) else output.replace("{", "{{").replace("}", "}}")
    places = Places(os.path.join(folder, ""), "degrade", task, lossless=True)
    read = [*files(chosen), *([] if recipe is None else [str(recipe)])]
    made = plan(images, places, files=read, folders=folders(chosen), beside=files_beside)
    if any(job.source is None for job in made.jobs):
        raise BadOption("degrade reads files and folders, not stdin")
    made.settle(overwrite=overwrite, hint="use --overwrite, or another -o")
    made.clear_leftovers()
    own = OwnOptions(task, chosen)
    with Batch(made, as_json=as_json, quiet=quiet) as batch, interruptible() as check:
        for job in made.jobs:
            source, target = Path(str(job.source)), Path(str(job.target))
            one = Degradation(task=task, options=own.of(source, job.place), seed=seed + job.place)
            with batch.trying(job):
                with answers_apart():
                    written = one.write(read_picture(source), target, overwrite=overwrite, like=os.stat(source))
                facts = {"input": job.name, "output": job.target, **one.facts(), "files": written}
                batch.answer(facts if as_json else str(target))
            check()
    return batch.code
