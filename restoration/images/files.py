"""Pictures from files and to files: whole under their final name, or not there at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from restoration.errors import BadPicture, RestorationError
from restoration.images.codec import decode, encode
from restoration.images.parts import Part

if TYPE_CHECKING:
    from restoration.picture import Picture


def read(source: str | Path | bytes, name: str = "") -> Picture:
    """Read a picture from a file or from bytes, upright as its EXIF orientation says. Raises `BadPicture`."""
    if isinstance(source, bytes):
        return decode(source, name or "the input")
    try:
        data = Path(source).read_bytes()
    except OSError as error:
        raise BadPicture(f"{source}: {error.strerror}") from error
    return decode(data, str(source))


def write(
    picture: Picture,
    path: str | Path,
    *,
    overwrite: bool = True,
    like: os.stat_result | None = None,
    keep_time: bool = False,
) -> None:
    """Write a picture, the format by the suffix. A file under its final name is whole; nothing else is left behind.

    Without `overwrite` a file that is there stays. `like`, what the system says of the file that it was made from,
    gives it its permissions and, with `keep_time`, its times. Raises `RestorationError`.
    """
    import pyvips

    path = Path(path)
    try:
        data = encode(picture, path.suffix.lower())
    except pyvips.Error as error:
        raise RestorationError(f"cannot write {path}: {str(error).strip().splitlines()[-1]}") from None
    with Part(path, overwrite=overwrite, like=like, keep_time=keep_time) as file:
        file.write(data)


def make_folder(path: Path) -> None:
    """Make a folder and those that it lies in, if they are not there. Raises `RestorationError`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RestorationError(f"cannot make {path}: {error.strerror}") from error


def write_bytes(data: bytes, path: Path, *, overwrite: bool = True) -> None:
    """Write a file atomically. Raises `RestorationError` with the reason of the system."""
    with Part(path, overwrite=overwrite) as file:
        file.write(data)
