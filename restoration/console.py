"""What every command shares, ours and a plugin's: answers to stdout, all else to stderr, `--json`, progress, Ctrl-C.

A command of a plugin is a `click.Command` that uses these; its errors are `RestorationError`, which `restore` prints as
one line. Nothing here imports torch or, before it draws, rich.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

DEBUG = "restoration.debug"


def _remember(ctx: click.Context, parameter: click.Parameter, debug: bool) -> None:
    if debug:
        ctx.meta[DEBUG] = True


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Show no progress and no warnings.")
debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_remember, help="Show the traceback of an error."
)
threads_option = click.option("--threads", type=click.IntRange(1), help="Number of CPU threads.  [default: all]")


def echo_json(value: Any, *, err: bool = False) -> None:
    """Print one JSON value on one line; infinities become null, as JSON has none.

    With `err` it goes to stderr: where stdout holds a picture.
    """
    text = json.dumps(_finite(value), ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # the name of a file that is not UTF-8; JSON has escapes for what it holds
        text = json.dumps(_finite(value))
    click.echo(text, err=err)


def echo_path(path: str) -> None:
    """Print the name of a file as it is, byte for byte, whatever they stand for; a terminal gets no control codes."""
    if sys.stdout is not None and sys.stdout.isatty():
        click.echo("".join(one if one.isprintable() else repr(one)[1:-1] for one in path))
    else:
        click.echo(os.fsencode(path))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def say(text: str) -> None:
    """Tell the user something that is not the answer; nothing happens if nobody can hear it."""
    with suppress(OSError, ValueError):
        click.echo(text, err=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
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
    return sys.stderr is not None and sys.stderr.isatty() and not quiet


def show_warnings(quiet: bool) -> None:
    """Show what the toolbox logs, one line each; errors only if `quiet`. What libraries log is for programmers."""
    logging.getLogger().addHandler(logging.NullHandler())
    logging.addLevelName(logging.WARNING, "warning")
    logging.addLevelName(logging.INFO, "note")
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    log = logging.getLogger("restoration")
    log.addHandler(shown)
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


def debugging() -> bool:
    """Say whether the command that runs was asked for the traceback of an error."""
    context = click.get_current_context(silent=True)
    return context is not None and DEBUG in context.meta


def open_streams() -> None:
    """Give stdin, stdout and stderr a place where the caller has closed them, or files would be opened in theirs."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False, encoding="utf-8"))  # noqa: SIM115


class Ended(BaseException):
    """The system or a user asked this process to end, by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Give a function that raises again what came: `KeyboardInterrupt` for Ctrl-C, `Ended` for SIGTERM and SIGHUP.

    They are raised at once. But in a callback or finaliser of a library that would be printed and lost; so work in
    several steps asks again after each. A process that ignores a signal goes on ignoring it.
    """
    came: list[BaseException] = []

    def press(number: int, frame: FrameType | None) -> None:
        came.append(KeyboardInterrupt() if number == signal.SIGINT else Ended(number))
        if not _is_lost(frame):
            raise came[-1]

    def check() -> None:
        if came:
            raise came[0]

    usual: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    if hasattr(signal, "SIGHUP"):
        usual[signal.SIGHUP] = signal.SIG_DFL
    ours = [number for number, handler in usual.items() if signal.getsignal(number) is handler]
    for number in ours:
        signal.signal(number, press)
    try:
        yield check
    finally:
        for number in ours:
            signal.signal(number, usual[number])


def _is_lost(frame: FrameType | None) -> bool:
    """Say whether what is raised in a frame would be lost: C calls it, through cffi, or when an object goes."""
    while frame is not None:
        name, module = frame.f_code.co_name, str(frame.f_globals.get("__name__"))
        if name == "__del__" or (module.startswith("pyvips") and (name.endswith("_callback") or "_marshal" in name)):
            return True
        frame = frame.f_back
    return False
