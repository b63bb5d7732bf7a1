"""Masks as people have them: holes in black or white, in 0 and 1, in the alpha, soft, smaller; where it is certain."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import torch
from torch.nn import functional

from restoration import BadOption
from restoration_tasks.numbers import Numbers, read_numbers

if TYPE_CHECKING:
    from torch import Tensor

Colour = Literal["black", "white"]

SURE = 0.1
"""Values that are nearer than this to black or to white are black or white, as JPEG leaves them."""
SOFT = 0.5
"""The share of values between black and white from which on something is no mask."""
BLANK, NEAR = 0.98, 8 / 255
"""A region is blank if this share of its pixels differs by no more than that from its median."""
log = logging.getLogger("restoration")


def read_mask(given: object, size: tuple[int, int], holes: Colour | None, y: Tensor | None = None) -> Tensor:
    """Return a mask as `1 1 h w`, 1 where a picture of a `size`, height and width, is known.

    `holes` is the colour of the holes, black if it is None. Then, with the degraded picture `y`, `1 c h w`, it is white
    if that is certain: where the mask is white, a small part of the picture, this is blank, and elsewhere it is not.
    Pixels that are neither black nor white count as holes. Raises `BadOption` for what is no mask, and for one that may
    be meant either way.
    """
    numbers = read_numbers(given, "mask")
    value = _resized(_levels(numbers), numbers, size)
    soft = float(((value > SURE) & (value < 1 - SURE)).double().mean())
    if soft > SOFT:
        raise BadOption(f"{numbers.name} is no mask: {soft:.0%} of it is neither black nor white; is it a photograph?")
    colour = holes or ("black" if y is None else _colour(value, y, numbers.name))
    known = value >= 1 - SURE if colour == "black" else value <= SURE
    if not bool(known.any()):
        raise BadOption(f"{numbers.name} leaves nothing of the picture: all of it is {colour}, the colour of holes")
    return known.float()[None, None]


def _levels(numbers: Numbers) -> Tensor:
    """Return the numbers of a mask from 0, black, to 1, white: `h w`. Raises `BadOption`."""
    grey = numbers.grey()
    if numbers.alpha is not None:
        alpha = numbers.alpha[0]
        seen = grey[alpha > 0]
        varies = float(alpha.max() - alpha.min()) > 0
        if varies and bool(seen.numel()) and float(seen.max() - seen.min()) > 2 * SURE * float(grey.abs().max()):
            raise BadOption(f"{numbers.name} says two things, in its colours and in its alpha; keep one of them")
        grey = alpha if varies else grey
    low, high = float(grey.min()), float(grey.max())
    if low < 0:
        raise BadOption(f"{numbers.name} has numbers below 0; a mask is from 0, black, to 1 or 255, white")
    if low == high:
        if low == 0:
            return grey
        if low in (1.0, 255.0) or not numbers.drawn:
            return torch.ones_like(grey)
        raise BadOption(f"{numbers.name} is no mask: all of it has one colour, neither black nor white")
    if bool(((grey == low) | (grey == high)).all()):  # two values, as 0 and 1 of a file of 255 levels
        if low <= SURE * high or high - low > SURE * max(high, 1.0):
            return (grey - low) / (high - low)
        raise BadOption(f"{numbers.name} is no mask: its two colours can hardly be told apart")
    top = 1.0 if numbers.drawn or high <= 1 else 255.0 if high <= 255 else 65535.0
    return grey / top


def _resized(value: Tensor, numbers: Numbers, size: tuple[int, int]) -> Tensor:
    """Return a mask, `h w`, in the size of the picture, if one is a whole number of times the other."""
    height, width = numbers.size
    if (height, width) == size:
        return value
    for large, small in ((size, (height, width)), ((height, width), size)):
        factor = large[0] // small[0]
        if factor > 1 and (small[0] * factor, small[1] * factor) == large:
            if large == size:
                return value.repeat_interleave(factor, 0).repeat_interleave(factor, 1)
            return functional.avg_pool2d(value[None, None], factor)[0, 0]  # partly a hole is a hole
    raise BadOption(f"the mask {numbers.name} is {width}x{height}, the picture {size[1]}x{size[0]}; make them one size")


def _colour(value: Tensor, y: Tensor, name: str) -> Colour:
    """Return the colour of the holes in a mask, `h w`. Raises `BadOption` where the picture `y` does not tell."""
    black, white = value < 1 - SURE, value > SURE
    if not bool(black.any()):
        raise BadOption(f"{name} shows no holes, all of it is white; draw them in black, or say --holes white")
    if not bool(white.any()):
        raise BadOption(
            f"{name} leaves nothing of the picture, all of it is black; say --holes white if it has no holes"
        )
    dark, light = _is_blank(y, value <= SURE), _is_blank(y, value >= 1 - SURE)
    share = float((value < 0.5).double().mean())
    if dark and not light:
        return "black"
    if light and not dark and share >= 0.5:
        log.warning("%s: its white is taken for the holes, since the picture is blank there", name)
        return "white"
    if share <= 0.5 and not (light and not dark and _is_one_colour(y, value >= 1 - SURE)):
        return "black"
    raise BadOption(
        f"is the picture missing where {name} is black ({share:.0%} of it), or where it is white? "
        "Say --holes black or --holes white"
    )


def _is_blank(y: Tensor, where: Tensor) -> bool:
    """Say whether nearly all of a region, `h w`, of a picture has one colour."""
    values = y[0][:, where]
    if not values.numel():
        return False
    middle = values.median(dim=1, keepdim=True).values
    return float(((values - middle).abs() <= NEAR).all(dim=0).double().mean()) >= BLANK


def _is_one_colour(y: Tensor, where: Tensor) -> bool:
    values = y[0][:, where]
    return bool((values == values[:, :1]).all())
