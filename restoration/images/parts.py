"""Files that are whole under their final name, or not there at all, and what killed processes leave of them."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from restoration.errors import RestorationError

PART = re.compile(r"\.restore-[0-9a-f]{8}\.part")
"""What a file is called before it is whole. That is short: its final name may be as long as names can be."""
NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EXDEV, errno.EMLINK}
"""Why a file cannot have a second name: its file system knows no links, mostly."""


class AlreadyThere(RestorationError):
    """A file that must not be replaced has come into being."""


class Part:
    """A file on its way: what is written into it is called `path` once `finish` is called, and gone if it never is.

    Without `overwrite` a file of that name is never replaced, even one that came into being in the meantime. `like` is
    what the system says of another file: this one gets its permissions and, with `keep_time`, its times. As a context
    manager it finishes, or discards itself after an exception. All methods raise `RestorationError` with the reason
    of the system.

    With `resumed`, a name of `part_name`, what a killed process has written under that name is there already, and
    Ctrl-C leaves it for the next; another process that is writing it at the moment is left alone.
    """

    def __init__(
        self,
        path: Path,
        *,
        overwrite: bool = True,
        like: os.stat_result | None = None,
        keep_time: bool = False,
        resumed: str = "",
    ) -> None:
        self.path, self.overwrite, self.keep_time = path, overwrite, keep_time
        self.like, self.resumed = like, resumed
        mode = 0o666 if like is None else stat.S_IMODE(like.st_mode) & 0o777
        try:
            self.part, self.number = (resumed and _resume(path.parent / resumed, mode)) or _open_new(path.parent, mode)
        except OSError as error:
            raise self._cannot(error) from error

    def write(self, data: bytes) -> None:
        """Add bytes."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self.number, left) :]
        except OSError as error:
            raise self._cannot(error) from error

    @property
    def size(self) -> int:
        """How many bytes were written."""
        return os.lseek(self.number, 0, os.SEEK_CUR)

    def cut(self, size: int) -> None:
        """Forget what was written after the first so many bytes."""
        os.ftruncate(self.number, size)
        os.lseek(self.number, size, os.SEEK_SET)

    def finish(self) -> None:
        """Give it its name, when all of it has reached the disk."""
        try:
            os.fsync(self.number)
            if self.like is not None:
                os.chmod(self.part, stat.S_IMODE(self.like.st_mode) & 0o777)
                if self.keep_time:
                    os.utime(self.part, ns=(self.like.st_atime_ns, self.like.st_mtime_ns))
            if sys.platform == "win32":  # an open file cannot be renamed there, nor be cleared by another process
                self._close()
            self._give_name()
        except OSError as error:
            raise self._cannot(error) from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what was written, if it has no name yet."""
        with suppress(OSError):
            self.part.unlink()
        self._close()

    def __enter__(self) -> Part:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.finish()
        elif self.resumed and kind is KeyboardInterrupt:
            self._close()
        else:
            self.discard()

    def _close(self) -> None:
        if self.number >= 0:
            os.close(self.number)
            self.number = -1

    def _give_name(self) -> None:
        if self.overwrite:
            os.replace(self.part, self.path)
            return
        try:
            os.link(self.part, self.path)  # unlike a new name, a second one never takes the place of a file
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if os.path.lexists(self.path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
            os.replace(self.part, self.path)

    def _cannot(self, error: OSError) -> RestorationError:
        if isinstance(error, FileExistsError):
            return AlreadyThere(f"{self.path} is already there; use --overwrite, or another name")
        return RestorationError(f"cannot write {self.path}: {error.strerror or error}")


def part_name(contents: str) -> str:
    """Return what a file is called before it is whole whose contents have a name: for `Part(resumed=...)`."""
    return f".restore-{hashlib.sha256(contents.encode()).hexdigest()[:8]}.part"


def clear_parts(folder: Path, but: str = "") -> int:
    """Remove from a folder what killed processes left there, but for one name; return how many files.

    What a running process is writing is locked, and stays.
    """
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        found = [entry.path for entry in entries if PART.fullmatch(entry.name) and entry.name != but]
    return sum(_clear(path) for path in found)


def _open_new(folder: Path, mode: int) -> tuple[Path, int]:
    """Make a new file in a folder, and lock it as long as it is open."""
    while True:
        part = folder / f".restore-{secrets.token_hex(4)}.part"
        number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode | stat.S_IWUSR)
        _lock(number, wait=True)
        if os.path.lexists(part):
            return part, number
        os.close(number)  # another process took it for a leftover before it was locked


def _resume(part: Path, mode: int) -> tuple[Path, int] | None:
    """Open a file that may be there already, at its end, and lock it; None if another process has it."""
    if sys.platform == "win32":  # nobody can tell there whether another process has it
        return None
    try:
        number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, mode | stat.S_IWUSR)
    except OSError:
        return None
    with suppress(OSError):
        mine = _lock(number, wait=False) and os.path.samestat(os.fstat(number), os.lstat(part))
        if mine and stat.S_ISREG(os.fstat(number).st_mode):
            os.lseek(number, 0, os.SEEK_END)
            return part, number
    os.close(number)
    return None


def _clear(path: str) -> bool:
    try:
        if sys.platform == "win32":
            os.unlink(path)
            return True
        number = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not _lock(number, wait=False):
                return False
            os.unlink(path)
            return True
        finally:
            os.close(number)
    except OSError:
        return False


def _lock(number: int, *, wait: bool) -> bool:
    """Lock an open file; say whether that was possible. Some file systems of networks know no locks."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
