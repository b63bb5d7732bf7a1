"""Device, precision, seed, memory; and a restoration, made once and used for many pictures."""

from __future__ import annotations

import ctypes
import os
import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING

import msgspec
import torch

from restoration import weights

from restoration.errors import BadOption, BadWeights
from restoration.interfaces import Observation
from restoration.recipe import Parts, Part, Recipe, build_parts, build_restorer, default_recipe
from restoration.registry import hook, registry

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.images import Picture

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def prepare(threads: int | None = None) -> None:
    """Set up this process for image work: memory that glibc keeps between tensors, and the number of threads.

    glibc returns every large tensor to the system and fetches the next one page by page; three settings stop that.
    """
    if platform.libc_ver()[0] == "glibc":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            mmap_max, trim_threshold, top_pad = -4, -1, -2
            libc.mallopt(mmap_max, 0)
            libc.mallopt(trim_threshold, 2**31 - 1)
            libc.mallopt(top_pad, 64 << 20)
    if threads is not None:
        torch.set_num_threads(threads)


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
    if name == "auto":
        name = "bf16" if has_bf16(device) else "fp32"
    if name not in PRECISIONS:
        raise BadOption(f"precision must be auto, {', '.join(PRECISIONS)}, not {name!r}")
    return nullcontext() if name == "fp32" else torch.autocast(device.type, PRECISIONS[name])


def has_bf16(device: torch.device) -> bool:
    """Say whether a device computes in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


def colours(pixels: Tensor, channels: int) -> Tensor:
    """Return `b c h w` with as many channels as asked for: grey repeated, or colours averaged."""
    if pixels.shape[1] == channels:
        return pixels
    return pixels.expand(-1, channels, -1, -1) if pixels.shape[1] == 1 else pixels.mean(dim=1, keepdim=True)
