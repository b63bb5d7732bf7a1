"""How much memory is free, whether an error is that it ran out, and where freed memory goes: to the system or not."""

from __future__ import annotations

import ctypes
import platform
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX = -1, -2, -3, -4
"""Parameters of glibc's allocator, as its header numbers them."""
KEEP_FREED = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 64 << 20}
"""With these, freed memory stays with the process: the next tensor need not fetch it from the system page by page."""
RELEASE_FREED = {MMAP_MAX: 65536, MMAP_THRESHOLD: 256 << 10}
"""With these, each tensor of more than 256 kB has pages of its own, which go back to the system when it is freed."""


def free_memory(device: torch.device) -> int:
    """Return the free bytes of a device, of the system for "cpu"; 8 GB if the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return 8_000_000_000


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error of torch is that memory ran out, on a GPU or in the system's allocator."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error) or "alloc_cpu" in str(error)


def tune_allocator(settings: Mapping[int, int]) -> None:
    """Set parameters of glibc's allocator, by their numbers; with another C library nothing happens."""
    if platform.libc_ver()[0] == "glibc":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            for parameter, value in settings.items():
                libc.mallopt(parameter, value)


@contextmanager
def release_large_tensors() -> Iterator[None]:
    """Return the memory of large tensors to the system while this lasts, and keep it in the process afterwards.

    It is meant for the first of many equal steps, which leaves small objects in memory for all later ones. If large
    tensors kept their memory from the start, those objects would lie between them and fragment it: 7 % more memory for
    a fit of Deep Image Prior to 512x512 pixels.
    """
    tune_allocator(RELEASE_FREED)
    try:
        yield
    finally:
        tune_allocator(KEEP_FREED)
