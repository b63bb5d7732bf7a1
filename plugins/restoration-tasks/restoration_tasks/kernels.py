"""Blur kernels from files."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from restoration import BadOption, read

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 255
"""The largest side of a kernel, in pixels."""


def read_kernel(source: str) -> Tensor:
    """Return the kernel of a file as `1 1 k l` with odd sides and the sum 1.

    A picture is read as grey; `NAME.npz:KEY` is one array of a NumPy archive, `NAME.npy` a single array. Raises
    `BadOption`.
    """
    path, colon, key = source.rpartition(":")
    if not colon or not path.endswith(".npz"):
        path, key = source, ""
    array = path.endswith((".npz", ".npy"))
    kernel = _array(path, key) if array else read(Path(path)).pixels.mean(dim=1)[0].double()
    if kernel.ndim != 2 or not bool(torch.isfinite(kernel).all()) or float(kernel.sum()) <= 0:
        raise BadOption(f"{source} is not a kernel: two dimensions, finite numbers and a sum above 0 are needed")
    if max(kernel.shape) > LARGEST:
        size = f"{kernel.shape[1]}x{kernel.shape[0]}"
        raise BadOption(f"{source} is {size}, too large for a kernel (at most {LARGEST}); is it a photograph?")
    kernel = functional.pad(kernel, (0, 1 - kernel.shape[1] % 2, 0, 1 - kernel.shape[0] % 2))
    return (kernel / kernel.sum()).float()[None, None]


def _array(path: str, key: str) -> Tensor:
    import numpy as np

    try:
        found = np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False)
        if path.endswith(".npz") and not isinstance(found, np.ndarray):
            names = found.files
            if names and key not in names:
                raise BadOption(
                    f"name one of the kernels in {path}: --kernel {path}:{names[0]} (of {', '.join(names)})"
                )
            found = found[key]
    except OSError as error:
        raise BadOption(f"{path}: {error.strerror}") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise BadOption(f"{path} cannot be read as a NumPy file of numbers; is it damaged?") from error
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
        raise BadOption(f"{path} holds no numbers; a kernel is an array of numbers of two dimensions")
    return torch.from_numpy(found.astype(np.float64))
