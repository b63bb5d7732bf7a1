"""What the processor is: choices between ways to compute ask for it, so that no clock decides what a seed gives."""

from __future__ import annotations

import platform
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
