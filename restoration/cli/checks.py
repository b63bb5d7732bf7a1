"""What is refused before `restore run` does anything: places that its results, or its page, cannot have."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from restoration.cli.inputs import file_key
from restoration.console import is_terminal, say

if TYPE_CHECKING:
    from restoration.cli.places import Places
    from restoration.cli.plan import Plan


def check_streams(made: Plan, places: Places) -> None:
    """Raise `click.UsageError` for a picture that would go to a terminal, or samples that would go to stdout."""
    if places.samples and any(job.target is None for job in made.jobs):
        raise click.UsageError("samples are several files, which cannot all go to stdout; give a folder: -o DIR/")
    if is_terminal(sys.stdout) and any(job.target is None for job in made.jobs):
        raise click.UsageError("the picture would go to the terminal; name a file with -o, or put > clean.png behind")


def check_format(places: Places) -> None:
    """Raise `click.UsageError` for a name of the result with another format than `--format`."""
    named = Path(places.output or "").suffix.lower()
    if places.is_file and places.suffix is not None and named != places.suffix:
        raise click.UsageError(f"-o {places.output} says another format than --format {places.suffix[1:]}")


def remark_quality(made: Plan) -> None:
    """Say that `--jpeg-quality` changes nothing, where no result is of a format that has one."""
    from restoration.images.formats import by_suffix

    forms = [by_suffix(Path(job.target).suffix.lower()) for job in made.jobs if job.target is not None]
    if forms and all(form is not None and not form.lossy for form in forms):
        say("note: --jpeg-quality changes nothing here: no result is a JPEG, WebP or AVIF")


def check_report(report: Path, made: Plan, *, overwrite: bool, skip_existing: bool) -> None:
    """Raise `click.UsageError` for a page that would replace a file; with `skip_existing` one of ours is continued."""
    from restoration.scoring.report import is_report

    found = made.originals.check(str(report))
    if found.objection:
        raise click.UsageError(f"--report {report} {found.objection}; choose another name")
    if file_key(str(report)) in {file_key(path) for job in made.jobs for path in job.files}:
        raise click.UsageError(f"--report {report} is the result of a picture; choose another name")
    if found.there and not overwrite and not (skip_existing and is_report(report)):
        raise click.UsageError(f"--report {report} is already there; use --overwrite, or choose another name")
