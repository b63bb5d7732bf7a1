"""A folder that one process at a time writes to."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restoration.errors import BadOption


@contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Hold a lock on a folder itself, which ends with this process however that ends.

    `what` is what the others are called: "another training". Raises `BadOption` where one has the lock.
    """
    if sys.platform == "win32":  # folders cannot be opened there
        yield
        return
    import fcntl

    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            os.close(number)
            raise BadOption(f"{what} is writing to {folder}; wait for its end, or choose another --out") from None
    try:  # a file system that knows no locks is used without
        yield
    finally:
        os.close(number)
