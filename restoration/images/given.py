"""Pictures that a program has at hand: arrays of numpy, tensors of torch, images of PIL. Neither is imported for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange

from restoration.errors import BadPicture
from restoration.images.files import read
from restoration.images.pil import from_pil, is_pil, to_pil
from restoration.picture import Picture, to_levels

if TYPE_CHECKING:
    from torch import Tensor

SLACK = 1e-3
"""Numbers may be below black or above white by so much, as after rounding."""
LEVELS = {torch.uint8: 8, torch.uint16: 16}
"""The bits of whole numbers that pictures consist of."""


def picture_of(given: object) -> tuple[Picture, Callable[[Picture], Any]]:
    """Return a picture, and a function that gives another one in the same form. Raises `BadPicture`.

    * A path, the bytes of a file, or a `Picture`: the form is a `Picture`.
    * An array: `h w`, or `h w c` with 1 to 4 channels of which the second or fourth is alpha; uint8, uint16 or floats
      from 0 to 1.
    * A tensor: the same as `h w`, `c h w` or `1 c h w`, on any device.
    * An image of PIL: grey, colour or with a palette, of 8 or 16 bits, with or without alpha. It is turned upright.
    """
    if isinstance(given, Picture):
        _check(given.pixels, "the picture's pixels")
        return given, itself
    if isinstance(given, str | PathLike | bytes):
        return read(given if isinstance(given, bytes) else str(given)), itself
    if isinstance(given, torch.Tensor):
        return _from_tensor(given), lambda picture: _like_tensor(picture, given)
    if is_array(given):
        array: Any = given
        return _from_array(array), lambda picture: _like_array(picture, array)
    if is_pil(given):
        return from_pil(given), lambda picture: to_pil(picture, given)
    raise BadPicture(
        f"a picture is a path, bytes, an array of numpy, a tensor of torch or an image of PIL, not {_kind(given)}"
    )


def itself(picture: Picture) -> Picture:
    """Return a picture as it is."""
    return picture


def is_array(given: object) -> bool:
    """Say whether something is an array of numpy, which is loaded if so."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(given, numpy.ndarray)


def tensor_of_array(array: Any) -> Tensor:
    """Return an array of numbers as a tensor of its own. Raises `BadPicture` for other arrays."""
    if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and array.dtype.itemsize > 8):
        raise BadPicture(f"an array of {array.dtype} holds no numbers of a picture; use uint8, uint16 or float32")
    native = array.astype(array.dtype.newbyteorder("="), order="C", copy=True)
    return torch.from_numpy(native)


def _kind(given: object) -> str:
    return f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")


def _from_array(array: Any) -> Picture:
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4):
        raise BadPicture(f"an array of a picture is height, width, channels (1 to 4), not {array.shape}; one at a time")
    tensor = tensor_of_array(array)
    return _picture(tensor[None, None] if array.ndim == 2 else rearrange(tensor, "h w c -> 1 c h w"), "the array")


def _from_tensor(tensor: Tensor) -> Picture:
    shape = tuple(tensor.shape)
    fits = {2: True, 3: 1 <= shape[0] <= 4 if shape else False, 4: shape[:1] == (1,) and 1 <= shape[1] <= 4}
    if not fits.get(tensor.ndim, False):
        raise BadPicture(f"a tensor of a picture is c h w or 1 c h w (1 to 4 channels), not {shape}; one at a time")
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise BadPicture("a tensor of a picture must be dense")
    return _picture(tensor.detach().cpu()[(None,) * (4 - tensor.ndim)], "the tensor")


def _picture(values: Tensor, what: str) -> Picture:
    """Make a picture of numbers `1 c h w`, the last of 2 or 4 channels its alpha."""
    if 0 in values.shape:
        raise BadPicture(f"{what} has no pixels")
    if values.dtype in LEVELS:
        bits = LEVELS[values.dtype]
        pixels = values.to(torch.int32).float() / (2**bits - 1)
    elif values.is_floating_point():
        bits = 8 if values.dtype in (torch.float16, torch.bfloat16) else 16
        pixels = _check(values, what).float().clamp(0, 1)
    else:
        kind = str(values.dtype).removeprefix("torch.")
        raise BadPicture(f"{what} is of {kind}; a picture is of uint8, of uint16, or of floats from 0 to 1")
    colours = values.shape[1] - 1 + values.shape[1] % 2
    alpha = pixels[:, colours:].contiguous() if colours < values.shape[1] else None
    return Picture(pixels=pixels[:, :colours].contiguous(), alpha=alpha, bits=bits)


def _check(values: Tensor, what: str) -> Tensor:
    """Return floats if they are those of a picture. Raises `BadPicture`."""
    if not bool(torch.isfinite(values).all()):
        raise BadPicture(f"{what} has numbers that are not finite")
    low, high = float(values.min()), float(values.max())
    if low < -SLACK or high > 1 + SLACK:
        raise BadPicture(f"{what} is of floats from {low:g} to {high:g}; they must be from 0 to 1, or whole and uint8")
    return values


def _like_array(picture: Picture, like: Any) -> Any:
    kind = f"{like.dtype.kind}{like.dtype.itemsize}"
    bands = _bands(picture, like.shape[2] if like.ndim == 3 else 1)
    shown = rearrange(bands, "1 c h w -> h w c")
    if kind not in ("u1", "u2"):
        result = shown.contiguous().numpy().astype(like.dtype)
    else:
        result = to_levels(shown, 8 * like.dtype.itemsize).contiguous().numpy().astype(like.dtype)
    return result if like.ndim == 3 else result[..., 0]


def _like_tensor(picture: Picture, like: Tensor) -> Tensor:
    bands = _bands(picture, like.shape[-3] if like.ndim > 2 else 1)
    values = to_levels(bands, LEVELS[like.dtype]).to(torch.int32) if like.dtype in LEVELS else bands
    return values.to(dtype=like.dtype).to(like.device)[(0,) * (4 - like.ndim)]


def _bands(picture: Picture, channels: int) -> Tensor:
    """Return the colours of a picture, and its alpha where there was one: 1 where the result needs none any more."""
    pixels = picture.pixels
    if channels in (2, 4):
        alpha = torch.ones_like(pixels[:, :1]) if picture.alpha is None else picture.alpha
        return torch.cat([pixels, alpha], dim=1)
    return pixels
