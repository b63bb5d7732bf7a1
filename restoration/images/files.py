"""Pictures from files and to files: whole under their final name, or not there at all."""

from __future__ import annotations

import mmap
import os
import stat
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from restoration.errors import BadPicture, RestorationError, nearest_path
from restoration.images import bounds
from restoration.images.codec import decode_all, decode_levels, decode_size, encode
from restoration.images.formats import HEAD, recognise
from restoration.images.parts import Part
from restoration.picture import Picture
from restoration.registry import registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from restoration.images.pictures import Pictures

PIXEL = 16
"""Bytes that a pixel takes in a file at most: four channels of floating-point numbers."""
SPARE = 1 << 28
"""Bytes that a file may have beside its pixels."""
PIECE = 1 << 20
"""Bytes that are read at a time from a stream of unknown size."""


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


def read(source: str | Source | bytes, name: str = "", *, damaged: bool = False) -> Picture:
    """Read a picture from a file or from bytes, upright as its EXIF orientation says; of a `damaged` one what there is.

    Raises `BadPicture`, also for a file of several pages or frames: see `read_all`.
    """
    return read_all(source, name, damaged=damaged or None).only()


def read_all(source: str | Source | bytes, name: str = "", *, damaged: bool | None = False) -> Pictures:
    """Open the pictures of a file, or of its bytes, see `decode_all`. Raises `BadPicture`."""
    if isinstance(source, bytes):
        return decode_all(source, name or "the input", damaged=damaged)
    return decode_all(_bytes(source), str(source), damaged=damaged)


def read_stream(stream: IO[bytes], name: str, *, damaged: bool = False) -> Pictures:
    """Open the pictures of a stream such as stdin, which is read to its end. Raises `BadPicture`."""
    return decode_all(_read_limited(stream, name), name, damaged=damaged)


def read_levels(source: Source) -> Tensor:
    """Read the colours of a picture, rounded to 8 bits: `h w c`, uint8, of 1 or 3 channels. Raises `BadPicture`."""
    return decode_levels(_bytes(source), str(source))


def read_size(source: Source) -> tuple[int, int]:
    """Return the height and width of a picture, upright; mostly the head of its file is enough. Raises `BadPicture`."""
    if not isinstance(source, Path):
        return decode_size(_bytes(source), str(source))
    with _open(source) as file:
        if not os.fstat(file.fileno()).st_size:
            return decode_size(b"", str(source))
        return decode_size(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), str(source))


def _bytes(source: str | Source) -> bytes:
    """Return what a file holds. Raises `BadPicture`."""
    if isinstance(source, str | os.PathLike):
        with _open(Path(source)) as file:
            return _read_limited(file, str(source), os.fstat(file.fileno()).st_size)
    if not hasattr(source, "read_bytes"):
        raise BadPicture(f"what is read is a path, or the bytes of a file, not {type(source).__name__}")
    try:
        return source.read_bytes()
    except OSError as error:
        raise BadPicture(f"{source}: {error.strerror}") from error


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, if it is one. Raises `BadPicture`, also for what goes wrong with it while it is open."""
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(number, "rb", buffering=0) as file:
            mode = os.fstat(number).st_mode
            if not stat.S_ISREG(mode):
                kind = "a pipe; give - and let it be stdin" if stat.S_ISFIFO(mode) else "a device, or the like"
                raise BadPicture(f"{path} is no file but {kind}")
            yield file
    except FileNotFoundError as error:
        raise BadPicture(f"{path}: {error.strerror}{_near(path)}") from error
    except OSError as error:
        raise BadPicture(f"{path}: {error.strerror}") from error


def _near(path: Path) -> str:
    """Return a hint about a missing file: a similar name, a link that leads nowhere, or a missing folder."""
    if path.is_symlink():
        return f"; it is a link to {os.readlink(path)}, which is not there"
    near = nearest_path(path)
    if near and os.path.isfile(near):
        return f"; did you mean {near}?"
    return "" if path.parent.is_dir() else f"; there is no folder {path.parent}"


def _read_limited(stream: IO[bytes], name: str, size: int = 0) -> bytes:
    """Read a stream to its end, or only its head if it is no picture. Raises `BadPicture` if it is too long."""
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


def write(
    picture: Picture,
    path: str | Path,
    quality: int | None = None,
    *,
    overwrite: bool = True,
    like: os.stat_result | None = None,
    keep_time: bool = False,
) -> None:
    """Write a picture, the format by the suffix. A file under its final name is whole; nothing else is left behind.

    Raises `RestorationError`.

    * `picture`, `path`: what is written, and where.
    * `quality`: that of JPEG, WebP and AVIF, 1 to 100, see `restoration.images.encode`.
    * `overwrite`: whether it replaces a file that exists.
    * `like`: what the system says of the file that it was made from, whose permissions it gets.
    * `keep_time`: whether it also gets the times of that file.
    """
    if not isinstance(picture, Picture):
        raise BadPicture(f"what is written is a Picture, such as result.picture, not {type(picture).__name__}")
    path = Path(path)
    write_bytes(
        encode(picture, path.suffix.lower(), quality), path, overwrite=overwrite, like=like, keep_time=keep_time
    )


def make_folder(path: Path) -> None:
    """Make a folder and those that it lies in, if they are not there. Raises `RestorationError`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next(one for one in (*reversed(path.parents), path) if os.path.lexists(one) and not one.is_dir())
        raise RestorationError(f"cannot make the folder {path}: {file} is there, and is no folder") from error
    except OSError as error:
        raise RestorationError(f"cannot make {path}: {error.strerror}") from error


def write_bytes(
    data: bytes,
    path: Path,
    *,
    overwrite: bool = True,
    like: os.stat_result | None = None,
    keep_time: bool = False,
) -> None:
    """Write a file atomically, as `write` does. Raises `RestorationError` with the reason of the system."""
    with Part(path, overwrite=overwrite, like=like, keep_time=keep_time) as file:
        file.write(data)


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write files that belong together: each is whole, and they get their names one after the other, in their order.

    None gets its name before all are written. Raises `RestorationError` with the reason of the system.
    """
    with ExitStack() as stack:
        for path, data in reversed(list(files.items())):  # what was entered last is finished first
            stack.enter_context(Part(path)).write(data)
