"""Pictures in .tar files, as webdataset has them: found by the headers of a tar, and read from where they lie in it."""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath

from restoration.errors import BadPicture
from restoration.images.formats import is_picture, readable

SHARD = ".tar"


@dataclass(frozen=True, slots=True)
class Member:
    """A picture inside of a tar: which one, its path there, and the bytes that it has from `offset` on."""

    shard: str
    path: str
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.shard}:{self.path}"

    @property
    def name(self) -> str:
        """The name of the file, without its folder."""
        return PurePosixPath(self.path).name

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.path).stem

    def read_bytes(self) -> bytes:
        """Return what the file holds. Raises `OSError`."""
        with open(self.shard, "rb", buffering=0) as shard:
            shard.seek(self.offset)
            data = shard.read(self.size)
        if data is None or len(data) < self.size:
            raise OSError(0, "the shard ends within this file", str(self))
        return data


def shards_of(data: Path) -> list[Path]:
    """Return the shards that something names: a .tar, a folder of them, or several as `{000..099}.tar` or `*.tar`.

    The list is empty if it names none. Raises `BadPicture` for one that does not exist.
    """
    text = str(data)
    if data.is_dir():
        return sorted(data.glob(f"*{SHARD}"))
    if not text.endswith(SHARD):
        return []
    named = [Path(name) for name in expand(text)]
    found = [match for path in named for match in (_matches(path) if "*" in str(path) else [path])]
    for path in found:
        if not path.is_file():
            raise BadPicture(f"there is no shard {path}")
    if not found:
        raise BadPicture(f"there is no shard that {data} names")
    return found


def members_of(shards: list[Path]) -> list[Member]:
    """Return the pictures of shards, in the order of their paths. Raises `BadPicture` for what is no whole tar."""
    members = []
    for shard in shards:
        try:
            with tarfile.open(shard, "r:") as tar:
                found = [
                    Member(str(shard), info.name, info.offset_data, info.size)
                    for info in tar
                    if info.isfile() and is_picture(PurePosixPath(info.name).name)
                ]
        except (tarfile.TarError, OSError) as error:
            raise BadPicture(f"{shard} cannot be read as an uncompressed tar: {error}") from error
        members += found
    if not members:
        raise BadPicture(f"{', '.join(map(str, shards[:3]))} hold no pictures ({', '.join(readable())})")
    return members


def expand(text: str) -> list[str]:
    """Return the names that braces stand for, as a shell has them: `{000..002}` counts, `{a,b}` lists."""
    parts: list[list[str]] = []
    for plain, braces in re.findall(r"([^{}]*)(?:\{([^{}]*)\})?", text):
        counted = re.fullmatch(r"(\d+)\.\.(\d+)", braces)
        parts.append([plain])
        if counted:
            first, last = counted.groups()
            width = len(first) if first.startswith("0") or len(first) == len(last) else 0
            parts.append([str(number).zfill(width) for number in range(int(first), int(last) + 1)])
        elif braces:
            parts.append(braces.split(","))
    return ["".join(chosen) for chosen in product(*parts)]


def _matches(path: Path) -> list[Path]:
    """Return the files that a pattern with stars in its last part matches, sorted."""
    return sorted(path.parent.glob(path.name))
