"""Small files of any origin, such as recipes, settings and model cards: read whole, or refused with a reason."""

from __future__ import annotations

import errno
import os
import stat

MOST = 1 << 26
"""Bytes that a document may have."""


def read_document(path: str | os.PathLike[str]) -> bytes:
    """Return what a file holds. Raises `OSError`, whose `strerror` says so too of what is no file, or a huge one."""
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(number, "rb", buffering=0) as file:
        mode = os.fstat(number).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no file but a device, a pipe, or the like", str(path))
        data = b""
        while piece := file.read(MOST + 1 - len(data)):
            data += piece
        if len(data) > MOST:
            raise OSError(errno.EFBIG, f"it is over {MOST >> 20} MB, which is too long for such a file", str(path))
        return data
