"""What goes where: answers to stdout, all else to stderr, JSON where it is asked for."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
debug = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")


def echo_json(value: Any) -> None:
    """Print one JSON value on one line; infinities become null, as JSON has none."""
    click.echo(json.dumps(_finite(value), ensure_ascii=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def say(text: str) -> None:
    """Tell the user something that is not the answer."""
    click.echo(text, err=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print a table: drawn on a terminal, plain columns separated by tabs in a pipe."""
    if not sys.stdout.isatty():
        for row in [columns, *rows]:
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    drawn = Table(*columns, title=title or None, title_justify="left")
    for row in rows:
        drawn.add_row(*row)
    Console().print(drawn)


def progress_wanted(quiet: bool) -> bool:
    """Say whether to draw a bar: on a terminal, unless told to be quiet."""
    return sys.stderr.isatty() and not quiet


def warnings_to_stderr(quiet: bool) -> None:
    """Show what the toolbox logs, one line each; errors only if `quiet`. What libraries log is for programmers."""
    logging.getLogger().addHandler(logging.NullHandler())
    logging.addLevelName(logging.WARNING, "warning")
    logging.addLevelName(logging.INFO, "note")
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    log = logging.getLogger("restoration")
    log.addHandler(shown)
    log.setLevel(logging.ERROR if quiet else logging.INFO)
