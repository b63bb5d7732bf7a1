"""`restore calibrate`: whether the samples of a method differ where they are wrong, and by as much."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from restoration.cli.asked import complete_names
from restoration.cli.headings import under
from restoration.cli.options import how_to_restore, method_and_task
from restoration.cli.task_options import TaskCommand
from restoration.console import (
    answers_apart,
    debug_option,
    echo_json,
    interruptible,
    json_option,
    print_table,
    progress_wanted,
    quiet_option,
    say,
    show_warnings,
)

pictures = under("Pictures")


@click.command(cls=TaskCommand)
@method_and_task
@pictures(
    "--data",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Pictures to measure on: a folder of pairs, in two sub-folders, or of clean ones, which the task degrades.",
)
@pictures(
    "--samples", type=click.IntRange(2), metavar="N", default=8, show_default=True, help="Samples of each picture."
)
@pictures(
    "--limit", type=click.IntRange(0), metavar="N", default=0, help="Measure the first N pictures only.  [default: all]"
)
@how_to_restore
@json_option
@quiet_option
@debug_option
def calibrate(
    method: str | None,
    task: str | None,
    data: Path,
    samples: int,
    limit: int,
    task_options: dict[str, Any],
    options: dict[str, Any],
    seed: int,
    threads: int | None,
    as_json: bool,
    quiet: bool,
    **how: Any,
) -> int:
    """Measure how honest samples are: whether they differ where their mean is wrong, and by as much as it is.

    \b
    Examples:
      restore calibrate -m ir-sde -t sr --scale 4 --realism 1 --data CBSD68/
      restore calibrate -m denoising-sde -t denoise --sigma 50 --data CBSD68/ --samples 16 --json

    Of every second picture the clean values are looked for in intervals around the mean that hold 90 % of those of the
    other pictures.
    """
    show_warnings(quiet)
    method, task = complete_names(method, task, how["weights"], offline=how["offline"])
    from restoration.engine.hardware import prepare
    from restoration.runtime import Restoration
    from restoration.scoring.calibrated import EXPLAINED, calibrated

    prepare(threads)
    with answers_apart():
        restoration = Restoration(method, task, task_options=task_options, options=options, **how)
    with interruptible() as check, answers_apart():

        def observe(done: int, total: int) -> None:
            if progress_wanted(quiet):
                say(f"{done}/{total}")
            check()

        found = calibrated(restoration, data, samples=samples, seed=seed, limit=limit, observe=observe)
    if as_json:
        known = {"method": method, "task": task, "realism": restoration.realism, "samples": samples}
        echo_json(known | asdict(found))
    else:
        rows = [[title, _number(getattr(found, name)), meaning] for name, (title, meaning) in EXPLAINED.items()]
        print_table(["measure", "value", "meaning"], rows, f"{method}, {task}, {samples} samples")
    return 0


def _number(value: float) -> str:
    """Return a number in words, nothing for what these pictures do not show."""
    return "" if math.isnan(value) else f"{value:.3g}"
