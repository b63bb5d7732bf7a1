"""Pictures from files and to files: whole under their final name, or not there at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from restoration.errors import BadPicture, RestorationError
from restoration.images import bounds
from restoration.images.codec import decode_all, encode
from restoration.images.formats import HEAD, recognise
from restoration.registry import registry

if TYPE_CHECKING:
    from restoration.images.pictures import Pictures
    from restoration.picture import Picture

PIXEL = 16
"""Bytes that a pixel takes in a file at most: four channels of floating-point numbers."""
SPARE = 1 << 28
"""Bytes that a file may have beside its pixels."""
PIECE = 1 << 20
"""Bytes that are read at once of what does not say its size."""


def read(source: str | Path | bytes, name: str = "", *, damaged: bool = False) -> Picture:
    """Read a picture from a file or from bytes, upright as its EXIF orientation says; of a `damaged` one what there is.

    Raises `BadPicture`, also for a file of several pages or frames: see `read_all`.
    """
    return read_all(source, name, damaged=damaged).only()


def read_all(source: str | Path | bytes | IO[bytes], name: str = "", *, damaged: bool = False) -> Pictures:
    """Open the pictures of a file, of its bytes, or of a stream; they are decoded one by one. Raises `BadPicture`."""
    if isinstance(source, bytes):
        return decode_all(source, name or "the input", damaged=damaged)
    if isinstance(source, str | Path):
        return decode_all(_bytes_of(Path(source)), str(source), damaged=damaged)
    return decode_all(_limited(source, name), name, damaged=damaged)


def _bytes_of(path: Path) -> bytes:
    """Read a file, if it is one, and not more of it than a picture has. Raises `BadPicture`."""
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(number, "rb", buffering=0) as file:
            found = os.fstat(number)
            if not stat.S_ISREG(found.st_mode):
                kind = "a pipe; give - and let it be stdin" if stat.S_ISFIFO(found.st_mode) else "a device, or the like"
                raise BadPicture(f"{path} is no file but {kind}")
            return _limited(file, str(path), found.st_size)
    except OSError as error:
        raise BadPicture(f"{path}: {error.strerror}") from error


def _limited(stream: IO[bytes], name: str, size: int = 0) -> bytes:
    """Read a stream, of a size perhaps, to its end; no further if it is no picture. Raises `BadPicture` if too long."""
    limit = bounds.max_pixels() * PIXEL + SPARE
    parts, total = [stream.read(HEAD)], HEAD
    if recognise(parts[0]) is None and not registry().hooks.hook.read_image.get_hookimpls():
        return parts[0]
    while parts[-1]:
        if max(total, size) > limit:
            raise BadPicture(f"{name} is over {limit / 1e9:.0f} GB, too long for a picture")
        parts.append(stream.read(max(PIECE, size - total)))
        total += len(parts[-1])
    return b"".join(parts)


def write(picture: Picture, path: str | Path, quality: int | None = None) -> None:
    """Write a picture, the format by the suffix. A file under its final name is whole; nothing else is left behind."""
    path = Path(path)
    write_bytes(encode(picture, path.suffix.lower(), quality), path)


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
