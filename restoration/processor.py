"""What the processor is: choices between ways to compute ask for it, so that no clock decides what a seed gives.

And how many of its threads are there, after a fork.
"""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

INTEL = "GenuineIntel"
"""What an Intel says of its maker."""


@cache
def is_intel() -> bool:
    """Say whether the processor is an Intel, as the system tells it; False where it does not tell."""
    return INTEL in description(Path("/proc/cpuinfo"))


def description(file: Path) -> str:
    """Return what the system says about its first processor: the head of a file, or Python's word where it is not."""
    with suppress(OSError):
        return file.read_text(encoding="utf-8", errors="replace")[:1000]
    return platform.processor()


@cache
def survive_forks() -> None:
    """Let processes that are forked from this one from now on compute with one CPU thread.

    OpenMP's other threads are not copied with a process, and torch would wait for them for ever.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_use_one_thread)


def _use_one_thread() -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
