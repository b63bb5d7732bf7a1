"""A picture that shows how far a method is: written again and again, for a viewer that looks at it again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from restoration.errors import RestorationError
from restoration.images import write
from restoration.picture import Picture

if TYPE_CHECKING:
    from torch import Tensor

EVERY = 2.0
"""Seconds between two pictures, at least."""


@contextmanager
def previewed(path: Path, observe: Callable[[Tensor], None]) -> Iterator[Callable[[Tensor], None]]:
    """Give a function that calls `observe` and now and then writes the guess, `1 c h w`, to `path`, removed at last.

    Raises `RestorationError` if a file is there.
    """
    if path.exists():
        raise RestorationError(f"{path} is already there; move it away, or leave out --preview, which would write it")
    last = 0.0

    def see(guess: Tensor) -> None:
        nonlocal last
        observe(guess)
        if time.monotonic() - last > EVERY:
            write(Picture(pixels=guess.float().cpu().clamp(0, 1)), path)
            last = time.monotonic()

    try:
        yield see
    finally:
        path.unlink(missing_ok=True)
