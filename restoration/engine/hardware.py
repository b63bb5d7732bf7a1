"""The machine: its devices, and the precision that they compute in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from restoration.errors import BadOption, one_line
from restoration.memory import KEEP_FREED, tune_allocator
from restoration.processor import is_intel, survive_forks

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def prepare(threads: int | None = None) -> None:
    """Set up this process for image work: freed memory stays with it, and torch uses so many CPU `threads`.

    By default, glibc returns the memory of every large tensor to the system and fetches it page by page for the next.
    """
    tune_allocator(KEEP_FREED)
    if threads is not None:
        torch.set_num_threads(threads)
    survive_forks()


def find_device(name: str) -> torch.device:
    """Return the device of a name; "auto" is the first of cuda, mps and cpu that is there. Raises `BadOption`."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        kind = name.partition(":")[0]
        if kind not in ("cpu", "cuda", "mps") and "device string" in str(error).lower():
            raise BadOption(f"device must be auto, cpu, cuda, cuda:1 or mps, not {name!r}") from error
        why = _lack(kind) or one_line(error).partition(". ")[0]
        raise BadOption(f"device {name!r} cannot be used here: {why}; leave --device out, or use cpu") from error
    return device


def _lack(kind: str) -> str:
    """Say what this machine has not, or too few of, of a kind of devices; "" where it is something else."""
    if kind == "mps" and not torch.backends.mps.is_available():
        return "PyTorch finds no GPU of Apple"
    if kind != "cuda":
        return ""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return (
        f"it has {count} NVIDIA GPU(s), counted from cuda:0" if count else "PyTorch finds no NVIDIA GPU with a driver"
    )


def precision(name: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context that networks run in: "fp32", "bf16", "fp16", or "auto", which is bf16 if it is fast here."""
    name = precision_name(name, device)
    return nullcontext() if name == "fp32" else torch.autocast(device.type, PRECISIONS[name])


def precision_name(name: str, device: torch.device, *, fits: bool = False) -> str:
    """Return the name of a precision, where "auto" is bf16 if it is fast on the device, else fp32.

    `fits` is True for a method that fits a network to each picture, which needs fast gradients too. Raises `BadOption`
    for an unknown name.
    """
    if name == "auto":
        return "bf16" if has_bf16(device) and (not fits or has_fast_bf16(device)) else "fp32"
    if name not in PRECISIONS:
        raise BadOption(f"precision must be auto, {', '.join(PRECISIONS)}, not {name!r}")
    return name


def has_bf16(device: torch.device) -> bool:
    """Return whether a device computes in bfloat16 faster than in float32."""
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
