"""What went wrong, in one line: what a user can put right, what the machine has run out of, or whose fault it is."""

from __future__ import annotations

import errno
import sys
from traceback import walk_tb

from restoration.errors import RestorationError

OUT_OF_MEMORY = "out of memory; use a smaller --tile, or close other programs"
SCARCE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EROFS}
"""What the system says where it has run out of something, whoever asked for it."""
TOOLBOX = "the toolbox"


def explained(error: BaseException) -> str:
    """Return any exception as one line. Only what nobody expected is called a fault, of a plugin or of the toolbox."""
    if isinstance(error, RestorationError):
        return _one_line(str(error))
    if _is_out_of_memory(error):
        return OUT_OF_MEMORY
    if isinstance(error, OSError) and error.strerror and (error.errno in SCARCE or whose(error) == TOOLBOX):
        return _one_line(f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror)
    first = (str(error).strip().splitlines() or [""])[0]
    return _one_line(f"{type(error).__name__}: {first} (a fault of {whose(error)}; --debug shows where)")


def whose(error: BaseException) -> str:
    """Say whose code an error came out of: the innermost that is of a plugin or of the toolbox, not of a library."""
    from restoration.registry import registry

    owners = {plugin.package: f"the plugin {plugin.name}" for plugin in registry().plugins}
    owners["restoration"] = TOOLBOX
    names = ["restoration", *(str(frame.f_globals.get("__name__")) for frame, _ in walk_tb(error.__traceback__))]
    packages = [name.partition(".")[0] for name in names]
    return [owners[package] for package in packages if package in owners][-1]


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if not isinstance(error, RuntimeError) or "torch" not in sys.modules:
        return False
    from restoration.memory import is_out_of_memory

    return is_out_of_memory(error)


def _one_line(text: str) -> str:
    """Return a text as one line that a terminal shows: names of files may hold anything."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
