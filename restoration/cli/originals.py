"""The files that a command reads: whatever its options are, it does not write over them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from restoration.cli.inputs import file_key


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is at a path: whether something is `there`, which file that is `read`, and why it must not be written."""

    there: bool = False
    read: str = ""
    objection: str = ""


class Originals:
    """Files that are read, by any of their names: through links, with detours, in another case where that is the same.

    Of `folders` all files are.
    """

    def __init__(self, paths: Iterable[str], folders: Iterable[str] = ()) -> None:
        self.paths = list(paths)
        self.folders = [os.path.join(os.path.realpath(folder), "") for folder in folders]

    @cached_property
    def _known(self) -> dict[tuple[int, int], str]:
        """The files as the file system knows them; asked for only when a file to be written is there already."""
        found: dict[tuple[int, int], str] = {}
        for path in self.paths:
            try:
                status = os.stat(path)
            except OSError:
                continue
            found.setdefault((status.st_dev, status.st_ino), path)
        return found

    def check(self, path: str) -> Place:
        """Say what is at a path, and what is against writing a file there."""
        try:
            status = os.stat(path)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                length = len(os.fsencode(os.path.basename(path)))
                return Place(objection=f"has a name of {length} bytes, too long for a file")
            return Place(there=os.path.lexists(path))
        read = self._known.get((status.st_dev, status.st_ino), "")
        objection = ""
        if read:
            objection = "is an input" if read == path else f"is {read}, an input"
        elif stat.S_ISDIR(status.st_mode):
            objection = "is a folder"
        elif not stat.S_ISREG(status.st_mode):
            objection = "is no regular file"
        elif any(file_key(path).startswith(folder) for folder in self.folders):
            objection = "lies in a folder of inputs"
        return Place(there=True, read=read, objection=objection)


def files_of(path: str | None) -> list[str]:
    """Return the files that a file or a folder stands for, such as a set of weights; none if there is neither."""
    if path is not None and os.path.isdir(path):
        with os.scandir(path) as entries:
            return [entry.path for entry in entries if entry.is_file()]
    return [] if path is None or not os.path.isfile(path) else [path]
