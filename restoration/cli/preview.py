"""A picture that shows how far a method is: written again and again, for a viewer that looks at it again."""

from __future__ import annotations

import logging
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from restoration.errors import RestorationError
from restoration.images import encode, write_bytes
from restoration.picture import Picture

if TYPE_CHECKING:
    from torch import Tensor

EVERY = 2.0
"""Seconds between two pictures, at least."""
PREVIEW = ".preview.png"
"""How the names of previews end."""
MARK = b"Comment\0a preview by restore run"
"""The text that previews hold, so that one left by a killed process is known from a user's picture."""
END = 12
"""Bytes of the last chunk of a PNG file."""
log = logging.getLogger("restoration")


def preview_of(target: str | os.PathLike[str]) -> Path:
    """Return the path of the preview of a result."""
    path = Path(target)
    return path.with_name(path.stem + PREVIEW)


def is_preview(path: str | Path) -> bool:
    """Say whether a file is a preview of ours."""
    try:
        return MARK in Path(path).read_bytes()
    except OSError:
        return False


def clear_preview(path: Path) -> None:
    """Remove a preview that a killed process left. Raises `RestorationError` if something else is there."""
    if is_preview(path):
        path.unlink(missing_ok=True)
    elif os.path.lexists(path):
        raise RestorationError(f"{path} is already there; move it away, or leave out --preview, which would write it")


@contextmanager
def previewed(path: Path, observe: Callable[[Tensor], None]) -> Iterator[Callable[[Tensor], None]]:
    """Give a function that calls `observe` and now and then writes the estimate, `1 c h w`, to `path`, removed at last.

    A preview that cannot be written is reported once and not tried again. Raises `RestorationError` if a file is there.
    """
    clear_preview(path)
    last, written, works = 0.0, False, True

    def see(estimate: Tensor) -> None:
        nonlocal last, written, works
        observe(estimate)
        if works and time.monotonic() - last > EVERY:
            picture = Picture(pixels=estimate.float().cpu().clamp(0, 1))
            try:
                write_bytes(_marked(encode(picture, ".png")), path, overwrite=written)
                written = True
            except RestorationError as error:
                log.warning("no preview: %s", error)
                works = False
            last = time.monotonic()

    try:
        yield see
    finally:
        if written:
            path.unlink(missing_ok=True)


def _marked(png: bytes) -> bytes:
    """Put a chunk of text before the last chunk of a PNG file."""
    chunk = b"tEXt" + MARK
    return png[:-END] + len(MARK).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) + png[-END:]
