"""What a machine has: memory that is kept, devices, and the precision that they compute in."""

from __future__ import annotations

import ctypes
import platform
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

import torch

from restoration.errors import BadOption
from restoration.processor import is_intel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX = -1, -2, -3, -4
"""Parameters of glibc's allocator, as its header numbers them."""
KEPT = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 64 << 20}
"""Freed memory stays with the process: the next tensor need not fetch it from the system page by page."""
RETURNED = {MMAP_MAX: 65536, MMAP_THRESHOLD: 256 << 10}
"""Each large tensor has memory of its own, and gives it back."""
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def prepare(threads: int | None = None) -> None:
    """Set up this process for image work: memory that glibc keeps between tensors, and the number of threads.

    glibc returns every large tensor to the system and fetches the next one page by page; three settings stop that.
    """
    tune_allocator(KEPT)
    if threads is not None:
        torch.set_num_threads(threads)


def tune_allocator(settings: Mapping[int, int]) -> None:
    """Set parameters of glibc's allocator; elsewhere nothing happens."""
    if platform.libc_ver()[0] == "glibc":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            for parameter, value in settings.items():
                libc.mallopt(parameter, value)


@contextmanager
def first_time() -> Iterator[None]:
    """Run what is done again and again for the first time, which leaves small things in memory for the next times.

    Large tensors give their memory back in it, and keep it after it. Where they keep it from the beginning, the small
    things lie between them ever after, and what fits nowhere is added: 7 % for a fit of Deep Image Prior to 512x512.
    """
    tune_allocator(RETURNED)
    try:
        yield
    finally:
        tune_allocator(KEPT)


def find_device(name: str) -> torch.device:
    """Return the device for a name; "auto" is the first of cuda, mps and cpu. Raises `BadOption` if it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadOption(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return device


def precision(name: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context that networks run in: "fp32", "bf16", "fp16", or "auto", bf16 where the hardware has it."""
    name = precision_name(name, device)
    return nullcontext() if name == "fp32" else torch.autocast(device.type, PRECISIONS[name])


def precision_name(name: str, device: torch.device, *, fits: bool = False) -> str:
    """Return what "auto" means on a device, for networks that answer, or for those that are fitted to a picture.

    Raises `BadOption` for a precision that there is not.
    """
    if name == "auto":
        return "bf16" if has_bf16(device) and (not fits or has_fast_bf16(device)) else "fp32"
    if name not in PRECISIONS:
        raise BadOption(f"precision must be auto, {', '.join(PRECISIONS)}, not {name!r}")
    return name


def has_bf16(device: torch.device) -> bool:
    """Say whether a device computes in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def has_fast_bf16(device: torch.device) -> bool:
    """Say whether that is so even for the gradients of 3x3 convolutions: not on an Intel without tiles, AMX.

    There a step of Deep Image Prior takes up to 1.4 times as long in bfloat16, while a NAFNet answers in half the time.
    """
    if device.type != "cpu" or torch.cpu._is_amx_tile_supported():
        return has_bf16(device)
    return has_bf16(device) and not is_intel()
