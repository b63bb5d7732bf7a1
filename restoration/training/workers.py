"""Worker processes that draw batches: how many, how they start and end, and how their errors are reported."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import forkserver, get_all_start_methods
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import multiprocessing

from restoration import errors
from restoration.engine.hardware import prepare
from restoration.errors import BadOption, RestorationError
from restoration.registry import registry

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

MOST = 16
"""Workers for one GPU, unless someone asks for more."""


def usual_workers(device: torch.device, local_processes: int = 1) -> int:
    """Return how many workers each of the processes on this machine has if nobody says.

    Beside a GPU all cores but one draw, `MOST` of them at most. A training on a CPU needs them itself: it draws while
    the network waits, without a second Python in memory.
    """
    if device.type == "cpu":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST, cores // local_processes - 1))


EXIT = os._exit
"""Ends a process at once, also while a plugin is loaded, when `os._exit` is another (`restoration.registry.guard`)."""


def start_method() -> BaseContext:
    """Return how workers start: as copies of a process that has imported torch and done nothing else.

    A copy of this process would have its locks, but not the threads that hold them. Where there are no copies, on
    Windows, each worker begins anew.
    """
    if "forkserver" not in get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "restoration.training.batches"])
    with signals_ignored(signal.SIGINT):  # Ctrl-C is for the process that trains; it ends the others
        forkserver.ensure_running()
    return context


def check_not_a_worker() -> None:
    """Raise `BadOption` in a worker that begins by running the script that trains, as all that it imports.

    Python does so where `__main__` is a file, as `spawn` and `forkserver` need it.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise BadOption(
            "a worker that begins to draw batches runs this script too, and would train itself: let the script train "
            'under `if __name__ == "__main__":`, or with workers=0'
        )


def prepare_worker(number: int) -> None:
    """Set up a worker: one thread, also for decoding. It ignores Ctrl-C, which all get, and ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["VIPS_CONCURRENCY"] = "1"
    logging.getLogger("restoration").addHandler(logging.NullHandler())
    prepare(threads=1)


def _end_with_parent() -> None:
    """End this process as soon as the one that trains has ended, however it did."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        EXIT(1)


@dataclass
class Payload:
    """An object for worker processes, pickled together with the paths of the one-file plugins that it may come from."""

    thing: Any
    files: list[str] = field(default_factory=list)
    packed: bytes = b""

    def __getstate__(self) -> dict[str, Any]:
        if not self.packed:
            self.files = [plugin.module for plugin in registry().plugins if plugin.module.endswith(".py")]
            try:
                self.packed = pickle.dumps(self.thing)
            except (TypeError, AttributeError, pickle.PicklingError) as error:
                raise BadOption(f"what draws batches cannot be handed to workers ({error}); use --workers 0") from error
        return {"thing": None, "files": self.files, "packed": self.packed}

    def unpacked(self) -> Any:
        """Return the thing, in a worker made anew when it is asked for the first time."""
        if self.thing is None:
            for file in self.files:
                registry().add_file(file)
            self.thing = pickle.loads(self.packed)
            self.packed = b""
        return self.thing


@dataclass(frozen=True)
class Failure:
    """What went wrong in a worker, as text: an exception itself may not survive the way."""

    kind: str
    text: str
    where: str

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Return what there is to say about an exception that is being handled."""
        if isinstance(error, RestorationError):
            return cls(type(error).__name__, str(error), traceback.format_exc())
        first = (str(error).splitlines() or [""])[0]
        text = f"a batch cannot be drawn: {type(error).__name__}: {first} (--workers 0 says whose fault it is)"
        return cls("RestorationError", text, traceback.format_exc())

    def error(self) -> RestorationError:
        """Return the exception to raise for it: of the same kind if it is one of the toolbox's."""
        kind = getattr(errors, self.kind, RestorationError)
        error: RestorationError = kind.__new__(kind)
        error.args = (self.text,)
        error.add_note(self.where)
        return error


@contextmanager
def signals_ignored(number: signal.Signals) -> Iterator[None]:
    """Ignore a signal for a while, in the main thread at least; processes started meanwhile ignore it for good."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Let Ctrl-C wait until something is done that must not be done by halves."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = []

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
