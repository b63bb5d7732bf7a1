"""What a picture may take: asked of its header, before anything of its size is made."""

from __future__ import annotations

import math
import os

from restoration.errors import BadOption, BadPicture

MAX_PIXELS = 500_000_000
"""Pictures with more pixels are refused before they are decoded; `RESTORE_MAX_PIXELS` is another limit."""
VARIABLE = "RESTORE_MAX_PIXELS"
LEAST = 0.01
"""Least share of its pixels that a damaged file must hold before memory is spent on all of them."""
SMALL = 1 << 22
"""Pictures of fewer pixels fit into any memory, and nobody asks how much is free."""
LARGE, DENSE = 50_000_000, 10_000
"""A file that claims more pixels than the first number, and more than the second for each of its bytes, is refused."""


def max_pixels() -> int:
    """Return how many pixels a picture may have. Raises `BadOption` if the variable is no such number."""
    text = os.environ.get(VARIABLE, "").strip()
    try:
        limit = float(text) if text else MAX_PIXELS
    except ValueError:
        limit = math.nan
    if not 1 <= limit < 2**63:
        raise BadOption(f"{VARIABLE} is a number of pixels, such as 1e9 or {MAX_PIXELS}, not {text!r}")
    return int(limit)


def check(name: str, width: int, height: int, frames: int, bytes_per_pixel: int, length: int) -> None:
    """Raise `BadPicture` if pictures of this size are not to be decoded here, or do not fit into memory.

    * `name`: the file, for the error.
    * `width`, `height`: the size in pixels of each of its pictures.
    * `frames`: how many of them are decoded together.
    * `bytes_per_pixel`: the memory that decoding takes.
    * `length`: the bytes of the file. Whoever sets the variable trusts files that are tiny for their size in pixels.
    """
    limit, pixels = max_pixels(), width * height
    size = f"{width}x{height}" if frames == 1 else f"{frames} times {width}x{height}"
    if pixels * frames > limit:
        raise BadPicture(f"{name} says it is {size}, over {limit} pixels; set {VARIABLE} if you trust it")
    if pixels * frames > max(LARGE, DENSE * length) and VARIABLE not in os.environ:
        raise BadPicture(f"{name} says it is {size}, in {length} bytes; set {VARIABLE} if you trust it")
    if pixels > SMALL:
        import torch

        from restoration.memory import free_memory

        free, needed = free_memory(torch.device("cpu")), pixels * bytes_per_pixel
        if needed > free:
            raise BadPicture(f"{name} takes {needed / 1e9:.1f} GB to be decoded, and {free / 1e9:.1f} GB are free")


def fault(share: float) -> str:
    """Return what is wrong with a file that holds at most a `share` of its pixels; "" if that is all of them."""
    return "" if share >= 1 else f"what is there makes {share:.2%} of its pixels at most"
