"""`restore score`: methods' numbers on pictures whose clean versions are known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoration.cli.asked import complete_names
from restoration.cli.headings import under
from restoration.cli.options import combine, how_to_restore, names, several
from restoration.cli.originals import Originals, files_of
from restoration.cli.pair_options import PLACE, data_or_pairs, sides, templates
from restoration.cli.task_options import TaskCommand, files, folders
from restoration.console import (
    Ended,
    answers_apart,
    debug_option,
    interruptible,
    json_option,
    keywords,
    progress_wanted,
    quiet_option,
    say,
    show_warnings,
)
from restoration.errors import RestorationError
from restoration.registry.cards import MetricCard, RestorerCard, TaskCard

if TYPE_CHECKING:
    from restoration.images import Pair
    from restoration.runtime import Restoration
    from restoration.scoring.score import Compared, Scoring


method, pictures, table = under("Method"), under("Pictures"), under("Table")


@click.command(cls=TaskCommand)
@method(
    "-m",
    "--method",
    "methods",
    multiple=True,
    metavar="NAME[@STEPS][,KEY=VALUE]",
    shell_complete=names(RestorerCard),
    help="Method to score; may be repeated to compare several. NAME@100 sets the steps of one, "
    "NAME@sampler=ddim,weights=DIR other options.",
)
@pictures(
    "-t",
    "--task",
    metavar="NAME",
    shell_complete=names(TaskCard),
    help="Damage to repair; `restore tasks` lists what there is.",
)
@pictures(
    "--data",
    metavar="DIR",
    type=PLACE,
    help="Pictures to score on: a folder of pairs, in two sub-folders, or of clean pictures, which the task degrades.",
)
@combine([*sides(pictures), *templates(pictures)])
@table(
    "--metrics",
    default="psnr_y,psnr,ssim_y,ssim",
    show_default=True,
    metavar="LIST",
    shell_complete=several(names(MetricCard)),
    help="Metrics, separated by commas; `restore metrics` lists them.",
)
@table(
    "--border",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    show_default=True,
    help="Number of pixels left out at each edge.",
)
@pictures(
    "--limit", type=click.IntRange(0), metavar="N", default=0, help="Score the first N pictures only.  [default: all]"
)
@how_to_restore
@table("--pictures", is_flag=True, help="Also show a row for each picture, as CSV, JSON and HTML always do.")
@table(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "json", "markdown", "html"]),
    help="Format of the table.  [default: that of the suffix of -o, else text]",
)
@table(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the table to, instead of stdout.",
)
@table("--overwrite", is_flag=True, help="Overwrite a file that exists.")
@json_option
@quiet_option
@debug_option
def score(
    methods: tuple[str, ...],
    task: str | None,
    data: Path | None,
    clean: Path | None,
    degraded: Path | None,
    clean_name: str,
    degraded_name: str,
    metrics: str,
    border: int,
    limit: int,
    pictures: bool,
    form: str | None,
    output: Path | None,
    overwrite: bool,
    task_options: dict[str, Any],
    options: dict[str, Any],
    seed: int,
    threads: int | None,
    as_json: bool,
    quiet: bool,
    **how: Any,
) -> int:
    """Score methods: show their metrics with 95 % intervals, and whether they differ from the first method.

    \b
    Examples:
      restore score -m ir-sde -t derain --data Rain100H/
      restore score -m regression -m ir-sde@1 -m ir-sde@100 -t derain --data Rain100H/ -o table.html
      restore score -m regression -t denoise --sigma 25 --data CBSD68/ --metrics psnr,lpips --format markdown
      restore score --data pairs/
      restore score --clean originals/ --degraded results/ --degraded-name '{name}_x4'

    All methods are given the same degraded pictures. Without a method, the degraded pictures themselves are scored.
    """
    show_warnings(quiet)
    form = _format(form, as_json, output, overwrite)
    folder, degraded = data_or_pairs(data, clean, degraded)
    from restoration.engine.hardware import prepare
    from restoration.images import pairs_in
    from restoration.scoring import tables
    from restoration.scoring.measures import choose
    from restoration.scoring.score import Scoring
    from restoration.scoring.summary import summarise

    measures = choose(metrics.split(","))
    prepare(threads)
    if how["weights"] is not None and (not methods or task is None):
        method, task = complete_names(next(iter(methods), None), task, how["weights"], offline=how["offline"])
        methods = methods or (method,)
    with answers_apart():
        chosen = _restorations(methods, task, {**how, "task_options": task_options}, options)
    pairs = pairs_in(folder, degraded, clean_name=clean_name, degraded_name=degraded_name)
    if output is not None and output.exists():
        _check_output(output, pairs, [*files(task_options), *files_of(how["weights"])], folders(task_options))
    scoring = Scoring(
        chosen,
        folder,
        task=task,
        task_options=task_options,
        measures=measures,
        border=border,
        seed=seed,
        limit=limit,
        pairs=pairs,
    )
    ended: BaseException | None = None
    with interruptible() as check, answers_apart():
        try:
            for one in scoring:
                if progress_wanted(quiet):
                    say(_progress(one, scoring))
                check()
        except (RestorationError, KeyboardInterrupt, Ended) as error:
            if not scoring.done:
                raise
            ended = error
            scoring.end_here()
        summary = summarise(scoring)
    text = tables.render(summary, form, pictures=pictures)
    if output is None:
        click.echo(text, nl=False)
    else:
        from restoration.images import write_bytes

        write_bytes(text.encode(errors="backslashreplace"), output, overwrite=overwrite)
        click.echo(str(output))
    if ended is None:
        return 0
    say(f"the table is that of the first {len(scoring)} of {scoring.found} pictures only")
    if isinstance(ended, RestorationError):
        say(f"error: {ended}")
        return 1
    raise ended


def _format(form: str | None, as_json: bool, output: Path | None, overwrite: bool) -> str:
    """Settle the format, and refuse before the work what could not be written after it."""
    if as_json and form not in (None, "json"):
        raise click.UsageError(f"--json is --format json, not {form}")
    form = "json" if as_json else form
    if output is None:
        return form or "text"
    if output.exists() and not overwrite:
        raise click.UsageError(f"{output} is already there; use --overwrite, or another -o")
    if not output.parent.is_dir():
        raise click.UsageError(f"cannot write {output}: there is no folder {output.parent}")
    from restoration.scoring.tables import SUFFIXES, format_for

    form = form or format_for(output)
    if form is None:
        raise click.UsageError(f"the name {output} says no format; use {', '.join(SUFFIXES)}, or --format")
    return form


def _check_output(output: Path, pairs: list[Pair], read: list[str], masks: list[str]) -> None:
    """Refuse to write over what is read: the pictures, what is known about them, the weights."""
    pictures = [str(path) for pair in pairs for path in (pair.clean, pair.degraded) if path is not None]
    objection = Originals([*pictures, *read], masks).check(str(output)).objection
    if objection:
        raise click.UsageError(f"-o {output} {objection}; choose another name")


def _restorations(
    specs: tuple[str, ...], task: str | None, how: dict[str, Any], options: dict[str, Any]
) -> dict[str, Restoration]:
    """Make the methods that are asked for, by what they are asked for with."""
    from restoration.runtime import Restoration

    if specs and task is None:
        raise click.UsageError("say what the methods are for: --task T")
    made: dict[str, Restoration] = {}
    for spec in specs:
        if spec in made:
            raise click.UsageError(f"--method {spec} is there twice")
        name, special = _variant(spec)
        settings = {key: special.pop(key, value) for key, value in how.items()}
        made[spec] = Restoration(name, str(task), options={**options, **special}, **settings)
    return made


def _variant(spec: str) -> tuple[str, dict[str, Any]]:
    """Read NAME@STEPS,KEY=VALUE or NAME,KEY=VALUE: the name of a method, and what is special about this one."""
    name, at, rest = spec.partition("@") if "@" in spec.partition(",")[0] else spec.partition(",")
    if not at:
        return name, {}
    first, *others = rest.split(",")
    words = [f"steps={first}" if first.isdecimal() else first, *others]
    special = keywords(click.get_current_context(), click.Option(["--method"]), tuple(words))
    if not isinstance(special.get("steps", 1), int) or special.get("steps", 1) < 1:
        raise click.UsageError(f"--method {spec}: steps are a number from 1")
    return name, special


def _progress(one: Compared, scoring: Scoring) -> str:
    """One line about one picture: the first metric of all."""
    first = next((measure for measure in scoring.measures if measure.of is not None), None)
    if first is None:
        return f"{len(scoring.done)}/{len(scoring)} {one.name}"
    numbers = {"input": one.input, **one.restored}
    words = ", ".join(f"{label} {first.number(values[first.name])}" for label, values in numbers.items())
    return f"{len(scoring.done)}/{len(scoring)} {one.name}: {first.title} {words}"
