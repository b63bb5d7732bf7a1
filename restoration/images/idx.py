"""Pictures in IDX files, as those of MNIST and Fashion-MNIST: many small grey ones in one file, mostly gzipped."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from restoration.errors import BadPicture
from restoration.images import png

NAME = re.compile(r".*(idx3-ubyte|\.idx3)(\.gz)?", re.IGNORECASE)
"""How files of pictures are called; those of labels, with one number a picture, have a 1 in place of the 3."""
SIGN = b"\0\0\x08\x03"
"""How they begin: numbers of 8 bits in three dimensions; 32 bits for the size of each follow."""
HEAD = 16
"""Bytes before the pixels."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture of an IDX file: which file, and its number there, from 0."""

    file: str
    number: int

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"

    @property
    def path(self) -> str:
        """Its path, where the file is taken for a folder."""
        return f"{Path(self.file).name}/{self.name}"

    @property
    def name(self) -> str:
        """The name that it would have as a file of its own."""
        return f"{self.stem}.png"

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return f"{self.number:06}"

    @property
    def size(self) -> int:
        """The bytes of its pixels."""
        _, height, width, _ = _contents(self.file)
        return height * width

    def read_bytes(self) -> bytes:
        """Return it as a PNG, which everything here reads. Raises `OSError`."""
        _, height, width, data = _contents(self.file)
        begin = HEAD + self.number * height * width
        rows = (data[row : row + width] for row in range(begin, begin + height * width, width))
        head = png.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        pixels = zlib.compress(b"\0" + b"\0".join(rows), level=0)  # a 0 before each row: it is not filtered
        return png.SIGNATURE + head + png.chunk(b"IDAT", pixels) + png.chunk(b"IEND", b"")


def idx_files_of(data: Path) -> list[Path]:
    """Return the IDX files that something names: one, or a folder of them; none if it names none."""
    if data.is_dir():
        return sorted(path for path in data.iterdir() if NAME.fullmatch(path.name))
    return [data] if NAME.fullmatch(data.name) and data.is_file() else []


def entries_of(files: list[Path]) -> list[Entry]:
    """Return the pictures of IDX files. Raises `BadPicture` for what is none, or not whole."""
    entries = []
    for file in files:
        try:
            number, *_ = _contents(str(file))
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise BadPicture(f"{file} cannot be read as an IDX file of pictures: {error}") from error
        entries += [Entry(str(file), place) for place in range(number)]
    return entries


@lru_cache(maxsize=2)
def _contents(file: str) -> tuple[int, int, int, bytes]:
    """Return how many pictures a file holds, their height and width, and its bytes."""
    data = Path(file).read_bytes()
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    if not data.startswith(SIGN) or len(data) < HEAD:
        raise ValueError("it does not begin as one")
    number, height, width = (int.from_bytes(data[place : place + 4]) for place in (4, 8, 12))
    if len(data) != HEAD + number * height * width or not data[HEAD:]:
        raise ValueError(f"{number} pictures of {width}x{height} are announced, and {len(data) - HEAD} bytes are there")
    return number, height, width, data
