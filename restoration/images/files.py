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
    from collections.abc import Mapping

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


def write_bytes(data: bytes, path: Path) -> None:
    """Write a file atomically. Raises `RestorationError` with the reason of the system."""
    write_together({path: data})


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write files that belong together: each atomically, and all of them, in their order, within an instant.

    Raises `RestorationError` with the reason of the system.
    """
    parts = {path: path.with_name(f".{path.name}.{secrets.token_hex(4)}.part") for path in files}
    try:
        for path, data in files.items():
            with open(parts[path], "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path, part in parts.items():
            os.replace(part, path)
    except OSError as error:
        raise RestorationError(f"cannot write {path}: {error.strerror}") from error
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink()
