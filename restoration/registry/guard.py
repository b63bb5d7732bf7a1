"""Keeps what a plugin's code does when it is loaded away from others: its output, its folder, its exceptions."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import BinaryIO, NoReturn, TextIO

from restoration.errors import BadPlugin, one_line, plain

QUOTED = 60
"""The most characters of a plugin's output that a remark quotes."""


@contextmanager
def guarded(remark: Callable[[str], None] = lambda text: None) -> Iterator[None]:
    """Run code of a plugin; `remark` is called with what it should not have done, in words that follow its name.

    What it writes to stdout, where answers belong, does not get there; the current folder and the streams stay. Raises
    `BadPlugin` for whatever it raises, but for the `KeyboardInterrupt` of somebody who pressed Ctrl-C.
    """
    with _same_folder(remark), _stdout_kept_clean(remark), _exit_raised(), _ctrl_c() as pressed:
        try:
            yield
        except BadPlugin:
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and pressed():
                raise
            raise BadPlugin(one_line(error)) from error


@contextmanager
def diverted(target: int) -> Iterator[None]:
    """Let what is written to the stdout of the process, by Python or below it, go to the open file `target`.

    Where `sys.stdout` is something else, as in a notebook, in threads beside the main one, and where the target is
    closed, nothing happens.
    """
    stream = sys.stdout
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or _descriptor(stream) != 1 or not _is_open(target):
        yield
        return
    stream.flush()
    kept = os.dup(1)
    os.dup2(target, 1)
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        sys.stdout, sys.stderr = _reopened(stream, 1), _reopened(sys.stderr, 2)


@contextmanager
def _stdout_kept_clean(remark: Callable[[str], None]) -> Iterator[None]:
    with _scratch() as file:
        try:
            with diverted(file.fileno()):
                yield
        finally:
            file.seek(0)
            text = plain(file.read(1000).decode(errors="replace"))
            if text:
                remark(f"wrote to stdout while it was loaded: {text[:QUOTED]!r}")


def _scratch() -> BinaryIO:
    """Return a file without a name: in memory where the system has such, which no full disk and no import hinders."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("stdout"), "w+b")
    import tempfile

    return tempfile.TemporaryFile()


@contextmanager
def _same_folder(remark: Callable[[str], None]) -> Iterator[None]:
    before = after = None
    with suppress(OSError):
        before = os.getcwd()
    try:
        yield
    finally:
        with suppress(OSError):
            after = os.getcwd()
        if before is not None and after != before:
            os.chdir(before)
            remark("changed the current folder while it was loaded")


@contextmanager
def _exit_raised() -> Iterator[None]:
    """Let `os._exit`, which ends everything without a word, raise `SystemExit`, but not in processes forked in here."""
    real, owner = os._exit, os.getpid()

    def leave(status: int) -> NoReturn:
        if os.getpid() == owner:
            raise SystemExit(status)
        real(status)

    os._exit = leave
    try:
        yield
    finally:
        os._exit = real


@contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether an interrupt is one of the keyboard, which it is too where nobody knows."""
    hits: list[int] = []

    def press(number: int, frame: FrameType | None) -> None:
        hits.append(number)
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.default_int_handler:
        yield lambda: callable(handler)  # an interrupt that is ignored did not come from the keyboard
        return
    try:
        signal.signal(signal.SIGINT, press)
    except ValueError:  # this is not the main thread: Ctrl-C does not come here
        yield lambda: False
        return
    try:
        yield lambda: bool(hits)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _descriptor(stream: TextIO | None) -> int | None:
    """Return the number that the system knows a stream by; None if it is no file, closed or missing."""
    try:
        return stream.fileno() if stream else None
    except (OSError, ValueError):
        return None


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _reopened(stream: TextIO, number: int) -> TextIO:
    """Return a standard stream, or one on the same file where it was closed; the file itself stays open."""
    if stream is None or not stream.closed:
        return stream
    return open(number, "w", encoding="utf-8", errors="replace", closefd=False)
