"""Pictures from files and to files: whole under their final name, or not there at all."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from restoration.errors import BadPicture, RestorationError
from restoration.images.codec import decode, encode

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


def write(picture: Picture, path: str | Path) -> None:
    """Write a picture, the format by the suffix. A file under its final name is whole; nothing else is left behind."""
    path = Path(path)
    write_bytes(encode(picture, path.suffix.lower()), path)


def make_folder(path: Path) -> None:
    """Make a folder and those that it lies in, if they are not there. Raises `RestorationError`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RestorationError(f"cannot make {path}: {error.strerror}") from error


def write_bytes(data: bytes, path: Path) -> None:
    """Write a file atomically. Raises `RestorationError` with the reason of the system."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise RestorationError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            part.unlink()
