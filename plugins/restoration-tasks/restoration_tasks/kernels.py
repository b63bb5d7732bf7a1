"""Blur kernels: from files, arrays, tensors or images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from restoration import BadOption
from restoration_tasks.numbers import read_numbers

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 255
"""The largest side of a kernel, in pixels."""


def read_kernel(source: object) -> Tensor:
    """Return a kernel as `1 1 k l` with odd sides and the sum 1, see `read_numbers`; a picture is read as grey.

    Raises `BadOption`.
    """
    found = read_numbers(source, "kernel")
    kernel, height, width = found.grey(), *found.size
    if not bool(torch.isfinite(kernel).all()) or float(kernel.sum()) <= 0:
        raise BadOption(f"{found.name} is not a kernel: two dimensions, finite numbers and a sum above 0 are needed")
    if max(height, width) > LARGEST:
        raise BadOption(
            f"{found.name} is {width}x{height}, too large for a kernel (at most {LARGEST}); is it a photograph?"
        )
    kernel = functional.pad(kernel, (0, 1 - width % 2, 0, 1 - height % 2))
    return (kernel / kernel.sum()).float()[None, None]
