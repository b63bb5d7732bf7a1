"""Pictures from files and to files: whole under their final name, or not there at all."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from restoration.errors import BadPicture, RestorationError
from restoration.images.codec import decode, decode_levels, decode_size, encode
from restoration.images.parts import Part

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


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write files that belong together: each is whole, and they get their names one after the other, in their order.

    None gets its name before all are written. Raises `RestorationError` with the reason of the system.
    """
    with ExitStack() as stack:
        for path, data in reversed(list(files.items())):  # what was entered last is finished first
            stack.enter_context(Part(path)).write(data)
