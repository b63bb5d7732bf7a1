"""What is known about a picture as numbers: masks, kernels and maps, from files, arrays, tensors or images of PIL."""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange

from restoration import BadOption, BadPicture, Picture, read
from restoration.images.given import is_array, tensor_of_array
from restoration.images.pil import from_pil, is_pil

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Numbers for each pixel: `values`, `c h w` in float64, and the `alpha`, `1 h w`, of a picture that has one.

    Those of a picture are in [0, 1], and `drawn` is true; those of an array are as they were. `name` is for people.
    """

    name: str
    values: Tensor
    drawn: bool
    alpha: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """The height and width."""
        return self.values.shape[-2], self.values.shape[-1]

    def grey(self) -> Tensor:
        """Return the mean of the channels, `h w`."""
        return self.values.mean(dim=0)


def read_numbers(given: object, what: str) -> Numbers:
    """Return the numbers of a file, an array, a tensor or an image, called `what` if it has no name.

    A file is a picture, `NAME.npy` or `NAME.npz:KEY`. Raises `BadOption`, or `BadPicture` for a file.
    """
    if isinstance(given, str | PathLike):
        path, key = _split(str(given))
        if not path.endswith((".npz", ".npy")):
            return _of_picture(read(path), str(given))
        return _of_array(_load(path, key, what), f"{what} {given}")
    if isinstance(given, Picture):
        return _of_picture(given, what)
    if isinstance(given, torch.Tensor):
        return _of_tensor(given.detach().cpu(), what)
    if is_array(given):
        return _of_array(given, what)
    if is_pil(given):
        try:
            return _of_picture(from_pil(given), what)
        except BadPicture as error:
            raise BadOption(f"{what}: {error}") from error
    kind = type(given).__name__
    raise BadOption(f"{what} is a path, an array of numpy, a tensor of torch or an image of PIL, not {kind}")


def _split(source: str) -> tuple[str, str]:
    """Return the path of a file and, for `NAME.npz:KEY`, the key."""
    path, colon, key = source.rpartition(":")
    return (path, key) if colon and path.endswith(".npz") else (source, "")


def _of_picture(picture: Picture, name: str) -> Numbers:
    alpha = None if picture.alpha is None else picture.alpha[0].double()
    return Numbers(name=name, values=picture.pixels[0].double(), drawn=True, alpha=alpha)


def _of_array(array: Any, name: str) -> Numbers:
    try:
        return _of_tensor(tensor_of_array(array), name)
    except BadPicture as error:
        raise BadOption(f"{name}: {error}") from error


def _of_tensor(tensor: Tensor, name: str) -> Numbers:
    """Read numbers `h w`, or with channels, which are last, or first if there is one or that is how tensors are."""
    shape = tuple(tensor.shape)
    while tensor.ndim > 2 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim == 3 and tensor.shape[2] <= 4:
        tensor = rearrange(tensor, "h w c -> c h w")
    elif tensor.ndim == 2:
        tensor = tensor[None]
    if tensor.ndim != 3 or tensor.shape[0] > 4 or 0 in tensor.shape or tensor.is_complex():
        raise BadOption(f"{name} must have two dimensions, height and width, not {shape}")
    values = tensor.double()
    if not bool(torch.isfinite(values).all()):
        raise BadOption(f"{name} has numbers that are not finite")
    if len(values) in (2, 4):
        return Numbers(name=name, values=values[:-1], drawn=False, alpha=values[-1:])
    return Numbers(name=name, values=values, drawn=False)


def _load(path: str, key: str, what: str) -> Any:
    """Return the array of a NumPy file. Raises `BadOption`."""
    import numpy as np

    try:
        found = np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False)
        if path.endswith(".npz") and not isinstance(found, np.ndarray):
            names = found.files
            if names and key not in names:
                raise BadOption(f"name one of the arrays in {path}: --{what} {path}:{names[0]} (of {', '.join(names)})")
            found = found[key]
    except OSError as error:
        raise BadOption(f"{path}: {error.strerror}") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise BadOption(f"{path} cannot be read as a NumPy file of numbers; is it damaged?") from error
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
        raise BadOption(f"{path} holds no numbers; a {what} is an array of numbers of two dimensions")
    return found
