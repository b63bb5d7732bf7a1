"""What every command shares, ours and a plugin's: answers to stdout, all else to stderr, `--json`, progress, Ctrl-C.

A command of a plugin is a `click.Command` that uses these. It returns its exit code: 0 or None for done, 1 if some
inputs failed. A `RestorationError` ends it with one line and 2, as wrong usage, `click.UsageError`, does. Nothing here
imports torch or, before it draws, rich.
"""

from __future__ import annotations

import json
import logging
import math
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from restoration.errors import plain
from restoration.registry.guard import diverted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

Command = TypeVar("Command", bound=Callable[..., Any])
T = TypeVar("T")
HANDLER = logging.StreamHandler()
"""Shows what the toolbox logs."""


def _quiet(ctx: click.Context, parameter: click.Parameter, quiet: bool) -> bool:
    """Show warnings, or not, before the command begins."""
    if not ctx.resilient_parsing:
        show_warnings(quiet)
    return quiet


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
quiet_option = click.option("-q", "--quiet", is_flag=True, callback=_quiet, help="Show no progress and no warnings.")
debug_option = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
threads_option = click.option("--threads", type=click.IntRange(1), help="Number of CPU threads.  [default: all]")


def common_options(command: Command) -> Command:
    """Give a command `--json`, `--quiet` and `--debug`: its function gets `as_json` and `quiet`."""
    return json_option(quiet_option(debug_option(command)))


def prepare(threads: int | None = None) -> None:
    """Set up this process for work on pictures: memory that is kept between tensors, and the number of threads."""
    from restoration.engine.hardware import prepare

    prepare(threads)


def echo_json(value: Any) -> None:
    """Print one JSON value on one line; infinities become null, as JSON has none, and what is no JSON a text."""
    click.echo(json.dumps(_finite(value), ensure_ascii=False, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def answers_apart() -> Iterator[None]:
    """Keep stdout for answers: what is written to it in here, by whatever code of others, goes to stderr."""
    with diverted(2):
        yield


def say(text: str) -> None:
    """Tell the user something that is not the answer."""
    click.echo(text, err=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print a table: drawn on a terminal, plain columns separated by tabs in a pipe."""
    if not sys.stdout.isatty():
        for row in [columns, *rows]:
            click.echo("\t".join(map(plain, row)))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, title=title or None, title_justify="left")
    for row in rows:
        drawn.add_row(*(Text(plain(cell)) for cell in row))
    Console().print(drawn)


def progress_wanted(quiet: bool) -> bool:
    """Say whether to draw a bar: on a terminal, unless told to be quiet."""
    return sys.stderr.isatty() and not quiet


def show_warnings(quiet: bool) -> None:
    """Show what the toolbox logs, one line each; errors only if `quiet`. What libraries log is for programmers."""
    logging.getLogger().addHandler(logging.NullHandler())
    logging.addLevelName(logging.WARNING, "warning")
    logging.addLevelName(logging.INFO, "note")
    HANDLER.setStream(sys.stderr)
    HANDLER.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    log = logging.getLogger("restoration")
    log.addHandler(HANDLER)
    log.setLevel(logging.ERROR if quiet else logging.INFO)


def progress_bar(console: Console | None = None) -> Progress:
    """Return a progress bar with a count, times and a remark, on stderr unless a console is given.

    Use it as a context manager; `add_task("reading", total=10, remark="")` adds a line, `update` moves it.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}", markup=False),
        console=console or Console(stderr=True),
        transient=True,
    )


@contextmanager
def progress(doing: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Give a function to be told how many of how many are done: on a terminal it draws a bar.

    It raises `KeyboardInterrupt` if Ctrl-C was pressed, see `interruptible`.
    """
    with interruptible() as check, ExitStack() as shown:
        bar = shown.enter_context(progress_bar()) if progress_wanted(quiet) else None
        task = bar.add_task(doing, total=None, remark="") if bar else None

        def observe(done: int, total: int) -> None:
            check()
            if bar is not None and task is not None:
                bar.update(task, completed=done, total=total)

        yield observe


def tracked(items: Sequence[T], doing: str, *, quiet: bool = False) -> Iterator[T]:
    """Yield items one by one, with such a bar; none is begun after Ctrl-C was pressed."""
    with progress(doing, quiet=quiet) as observe:
        for number, item in enumerate(items):
            observe(number, len(items))
            yield item
        observe(len(items), len(items))


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Give a function that raises `KeyboardInterrupt` if Ctrl-C was pressed since the beginning.

    Ctrl-C itself raises at once. But when that happens in a callback or finaliser of a library, Python only prints it;
    so a batch asks again after each picture. A process that ignores Ctrl-C goes on ignoring it.
    """
    pressed = False

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield check
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
