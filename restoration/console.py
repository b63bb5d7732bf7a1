"""What every command shares, ours and a plugin's: answers to stdout, all else to stderr, `--json`, progress, Ctrl-C.

A command of a plugin is a `click.Command` that uses these. It returns its exit code: 0 or None for done, 1 if some
inputs failed. A `RestorationError` ends it with one line and 2, as wrong usage, `click.UsageError`, does. Nothing here
imports torch or, before it draws, rich.
"""

from __future__ import annotations

import io
import json
import logging
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

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
DEBUG = "restoration: debug"
"""The key of `--debug` in the metadata of a context of click."""


def _quiet(ctx: click.Context, parameter: click.Parameter, quiet: bool) -> bool:
    """Show warnings, or not, before the command begins."""
    if not ctx.resilient_parsing:
        show_warnings(quiet)
    return quiet


def _debug(ctx: click.Context, parameter: click.Parameter, debug: bool) -> None:
    """Note in the context of click that tracebacks are wanted."""
    if debug:
        ctx.meta[DEBUG] = True


json_option = click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
quiet_option = click.option("-q", "--quiet", is_flag=True, callback=_quiet, help="Show no progress and no warnings.")
debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_debug, help="Show the traceback of an error."
)
COUNT_OF_THREADS = click.IntRange(1, 1024)
"""More threads than any machine serves end a process without a word, when the system has no room for them."""
threads_option = click.option(
    "--threads", type=COUNT_OF_THREADS, metavar="N", help="Number of CPU threads.  [default: all]"
)


def common_options(command: Command) -> Command:
    """Give a command `--json`, `--quiet` and `--debug`: its function gets `as_json` and `quiet`."""
    return json_option(quiet_option(debug_option(command)))


def keywords(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """Parse the values of an option KEY=VALUE, its `callback`; a value that is not JSON is a text."""
    result: dict[str, Any] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{text!r} is not KEY=VALUE")
        try:
            result[key] = json.loads(value)
        except ValueError:
            result[key] = value
    return result


def prepare(threads: int | None = None) -> None:
    """Set up this process for work on pictures: memory that is kept between tensors, and the number of threads."""
    from restoration.engine.hardware import prepare

    prepare(threads)


def echo_json(value: Any, *, err: bool = False) -> None:
    """Print one JSON value on one line; infinities become null, as JSON has none, and what is no JSON a text.

    With `err` it goes to stderr: where stdout holds a picture.
    """
    text = json.dumps(_finite(value), ensure_ascii=False, default=str)
    stream = sys.stderr if err else sys.stdout
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
        text.encode()
    except UnicodeEncodeError:  # what the console cannot show, or a name that is not UTF-8; JSON has escapes for both
        text = json.dumps(_finite(value), default=str)
    click.echo(text, err=err)


def echo_path(path: str) -> None:
    """Print the name of a file as it is, byte for byte, whatever they stand for; a terminal gets no control codes."""
    if is_terminal(sys.stdout):
        click.echo("".join(one if one.isprintable() else repr(one)[1:-1] for one in path))
    else:
        click.echo(os.fsencode(path))


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
    """Print something that is not an answer to stderr; nothing happens where stderr is closed."""
    with suppress(OSError, ValueError):
        click.echo(text, err=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print a table: drawn on a terminal, plain columns separated by tabs in a pipe."""
    if not is_terminal(sys.stdout):
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


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal; it may be closed, as by `2>&-`."""
    return stream is not None and not stream.closed and stream.isatty()


def progress_wanted(quiet: bool) -> bool:
    """Return whether to draw a bar: on a terminal, unless `quiet`."""
    return is_terminal(sys.stderr) and not quiet


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


def debugging() -> bool:
    """Return whether the command that runs was called with `--debug`."""
    context = click.get_current_context(silent=True)
    return context is not None and DEBUG in context.meta


CLOSED: set[str] = set()
"""The streams that the caller had closed: what is written to them is seen by nobody."""


def open_streams() -> None:
    """Give stdin, stdout and stderr a place where the caller has closed them, or files would be opened in theirs."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            CLOSED.add(name)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False, encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower() not in ("utf-8", "ascii"):
        sys.stdout.reconfigure(errors="backslashreplace")  # old consoles of Windows cannot show every name


class Ended(BaseException):
    """The system or a user asked this process to end, by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


@contextmanager
def progress(doing: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Give a function of the numbers done and in all, which draws a bar on a terminal.

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
    """Return whether an exception in a frame would be lost: C calls it through cffi, or it is in a finaliser."""
    while frame is not None:
        name, module = frame.f_code.co_name, str(frame.f_globals.get("__name__"))
        if name == "__del__" or (module.startswith("pyvips") and (name.endswith("_callback") or "_marshal" in name)):
            return True
        frame = frame.f_back
    return False
