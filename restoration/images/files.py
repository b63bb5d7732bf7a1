"""Pictures from files and to files: whole under their final name, or not there at all."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from restoration.errors import BadPicture, RestorationError
from restoration.images.codec import decode, decode_levels, decode_size, encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from restoration.picture import Picture


class Source(Protocol):
    """A file that can be read: a path, or a member of a shard. `str` of it names it for people."""

    @property
    def name(self) -> str:
        """The name of the file, without its folder."""
        ...

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        ...

    def read_bytes(self) -> bytes:
        """Return what the file holds. Raises `OSError`."""
        ...


def read(source: str | Source | bytes, name: str = "") -> Picture:
    """Read a picture from a file or from bytes, upright as its EXIF orientation says. Raises `BadPicture`."""
    if isinstance(source, bytes):
        return decode(source, name or "the input")
    return decode(_bytes(source), str(source))


def read_levels(source: Source) -> Tensor:
    """Read the colours of a picture, rounded to 8 bits: `h w c`, uint8, of 1 or 3 channels. Raises `BadPicture`."""
    return decode_levels(_bytes(source), str(source))


def read_size(source: Source) -> tuple[int, int]:
    """Return the height and width of a picture, upright; mostly the head of its file is enough. Raises `BadPicture`."""
    try:
        return decode_size(source if isinstance(source, Path) else source.read_bytes(), str(source))
    except OSError as error:
        raise BadPicture(f"{source}: {error.strerror}") from error


def _bytes(source: str | Source) -> bytes:
    try:
        return Path(source).read_bytes() if isinstance(source, str) else source.read_bytes()
    except OSError as error:
        raise BadPicture(f"{source}: {error.strerror}") from error


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
