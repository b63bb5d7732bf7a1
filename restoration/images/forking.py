"""Reading pictures in a process that was forked: libvips waits there for threads that the parent had, and are gone.

A thread of libvips that has nothing to do waits in a queue. A child of the process inherits the queue with the number
of those that wait, but not the threads, and leaves its work to them for ever. So before a fork all of them are given
something to do, which ends after it: then nobody waits in the queue, and the child makes new threads.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from contextlib import suppress
from typing import Any

PATIENCE = 5.0
"""Seconds that a fork waits for the threads at most."""
_kept: dict[str, Any] = {}
"""The library, and the function that its threads are given, which must not be collected."""


def survive_forks() -> None:
    """See to it, once libvips is loaded, that children of this process can read pictures. Only Linux has a need."""
    if _kept or not sys.platform.startswith("linux"):
        return
    with suppress(OSError, StopIteration, AttributeError):
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as lines:
            path = next(line.split(maxsplit=5)[5].strip() for line in lines if "/libvips" in line)
        execute = ctypes.CDLL(path).vips_thread_execute
        execute.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p]
        _kept.update(execute=execute, gate=threading.Event(), occupied=threading.Semaphore(0))
        _kept["task"] = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(_occupy)
        os.register_at_fork(before=_before, after_in_parent=_release, after_in_child=_release)


def _occupy(*_: object) -> None:
    """Keep a thread of libvips until the fork is over."""
    gate = _kept["gate"]
    _kept["occupied"].release()
    gate.wait()


def _before() -> None:
    _kept.update(gate=threading.Event(), occupied=threading.Semaphore(0))
    count = len(os.listdir("/proc/self/task"))  # at most so many wait
    task = ctypes.cast(_kept["task"], ctypes.c_void_p)
    begun = sum(_kept["execute"](b"fork", task, None) == 0 for _ in range(count))
    for _ in range(begun):
        _kept["occupied"].acquire(timeout=PATIENCE)


def _release() -> None:
    _kept["gate"].set()
