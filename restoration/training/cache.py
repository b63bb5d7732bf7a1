"""Decoded pictures in a file: shared by all processes of a training, bounded, and gone when it ends.

Decoding a photograph takes 2 to 50 ms, and a patch of it from such a file 0.1 ms. The file is read and written, not
mapped, so that what it holds is no memory of any process: the system keeps as much of it as it has room for. Patches
come from all over a set, so that it does not matter which pictures are kept where not all are: those that come first.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from restoration.memory import free_memory

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "restoration-cache-"
"""Begins the name of the folder of a cache; the number of the process that made it follows."""
OFFSET_BITS = 40
"""Of an entry of the index, for the place in a file; the number of the process that wrote the file stands above."""
HEAD = 3 * 4
"""Bytes before the pixels of a picture: height, width and channels."""


class PixelCache:
    """Pictures of 8 bits by number, `h w c`, of `number` at most.

    The first process makes it, and with that object its files go; others get a copy, by pickling, that reads and writes
    the same files. Each process writes a file of its own, of `limit` bytes at most, and enters what it wrote into the
    index that they share.
    """

    def __init__(self, number: int, limit: int) -> None:
        self.limit = limit if hasattr(os, "pread") else 0
        self.folder = ""
        self._opened = _Opened("")
        if self.limit:
            self.folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
            self._opened = _Opened(self.folder)
            weakref.finalize(self, _remove, self.folder, os.getpid())
            _remove_left_over(Path(self.folder).parent)
            with open(os.path.join(self.folder, "index"), "wb") as index:
                index.truncate(8 * number)

    def __getstate__(self) -> dict[str, object]:
        return {"limit": self.limit, "folder": self.folder, "_opened": _Opened(self.folder)}

    def size(self, number: int) -> tuple[int, int] | None:
        """Return the height and width of a picture that is here, None if it is not."""
        place = self._place(number)
        if place is None:
            return None
        height, width, _ = self._head(*place)
        return height, width

    def window(self, number: int, rows: slice, columns: slice) -> Tensor | None:
        """Return a part of a picture, `h w c`, None if it is not here."""
        place = self._place(number)
        if place is None:
            return None
        file, offset = place
        _, width, channels = self._head(file, offset)
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        begin = (rows.start * width + columns.start) * channels
        end = ((rows.stop - 1) * width + columns.stop) * channels
        data = torch.frombuffer(bytearray(os.pread(file, end - begin, offset + HEAD + begin)), dtype=torch.uint8)
        return data.as_strided((tall, wide, channels), (width * channels, channels, 1))

    def put(self, number: int, pixels: Tensor) -> None:
        """Keep a picture, if there is room for it on the disk and within the limit."""
        size = HEAD + pixels.numel()
        if size > self.limit:
            return
        process = os.getpid()
        try:
            file, offset = self._opened.own()
            if offset + size > self.limit:
                return
            head = torch.tensor(pixels.shape, dtype=torch.int32).numpy().tobytes()
            _write(file, head + pixels.contiguous().numpy().tobytes(), offset)
            entry = (process << OFFSET_BITS) + offset + 1
            os.pwrite(self._opened.index(), entry.to_bytes(8, "little"), 8 * number)
        except OSError:  # the disk is full: go on with what there is
            self.limit = 0

    def _place(self, number: int) -> tuple[int, int] | None:
        """Return the file and the place in it that a picture is kept at."""
        if not self.folder:
            return None
        entry = int.from_bytes(os.pread(self._opened.index(), 8, 8 * number), "little")
        if not entry:
            return None
        return self._opened.of(entry >> OFFSET_BITS), (entry & ((1 << OFFSET_BITS) - 1)) - 1

    def _head(self, file: int, offset: int) -> tuple[int, int, int]:
        height, width, channels = torch.frombuffer(bytearray(os.pread(file, HEAD, offset)), dtype=torch.int32).tolist()
        return height, width, channels


class _Opened:
    """The files of a cache as far as this object has opened them, which it closes when it goes."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.files: dict[str, int] = {}

    def __del__(self) -> None:
        for file in self.files.values():
            with suppress(OSError):
                os.close(file)

    def index(self) -> int:
        """Return the index: 8 bytes a picture."""
        return self._file("index")

    def of(self, process: int) -> int:
        """Return the file that a process writes."""
        return self._file(str(process))

    def own(self) -> tuple[int, int]:
        """Return the file that this process writes, and where it ends."""
        file = self.of(os.getpid())
        return file, os.fstat(file).st_size

    def _file(self, name: str) -> int:
        if name not in self.files:
            self.files[name] = os.open(os.path.join(self.folder, name), os.O_RDWR | os.O_CREAT, 0o600)
        return self.files[name]


def usual_limit() -> int:
    """Return a quarter of the memory that is free, and at most half of what the folder for temporary files can hold."""
    room = shutil.disk_usage(tempfile.gettempdir()).free
    return min(free_memory(torch.device("cpu")) // 4, room // 2)


def _write(file: int, data: bytes, offset: int) -> None:
    """Write all of the data, which the system may take in parts."""
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def _remove(folder: str, process: int) -> None:
    """Remove a cache, in the process that made it; a copy of that process must not."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left_over(folder: Path) -> None:
    """Remove the caches of processes that were killed."""
    for other in folder.glob(f"{PREFIX}*-*"):
        number = other.name.removeprefix(PREFIX).partition("-")[0]
        if number.isdigit() and not _runs(int(number)):
            shutil.rmtree(other, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
