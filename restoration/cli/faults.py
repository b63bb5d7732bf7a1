"""What went wrong, in one line: what a user can put right, what the machine has run out of, or whose fault it is."""

from __future__ import annotations

import errno
import sys
from contextlib import suppress
from inspect import isclass
from traceback import walk_tb
from types import FrameType

from restoration.errors import RestorationError, one_line, plain

OUT_OF_MEMORY = "out of memory; use a smaller --tile, or close other programs"
SCARCE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EROFS}
"""What the system says where it has run out of something, whoever asked for it."""
NO_ROOM = "failed to map segment"
"""What the dynamic linker says where a library does not fit into memory."""
TOOLBOX = "the toolbox"


def explained(error: BaseException) -> str:
    """Return any exception as one line. Only what nobody expected is called a fault, of a plugin or of the toolbox."""
    if isinstance(error, RestorationError):
        return plain(str(error))
    if _is_out_of_memory(error):
        return OUT_OF_MEMORY
    if isinstance(error, OSError) and error.strerror and (error.errno in SCARCE or whose(error) == TOOLBOX):
        return plain(f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror)
    if isinstance(error, ImportError) and whose(error) == TOOLBOX and not str(error.name).startswith("restoration"):
        return f"{one_line(error)} (a package that is needed cannot be loaded; install it again)"
    return f"{one_line(error)} (a fault of {whose(error)}; --debug shows where)"


def whose(error: BaseException) -> str:
    """Say whose code an error came out of: the innermost that is of a plugin or of the toolbox, not of a library."""
    from restoration.registry import registry

    owners = {"restoration": TOOLBOX}
    with suppress(RestorationError):
        owners = {plugin.package: f"the plugin {plain(plugin.name)}" for plugin in registry().plugins} | owners
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    names = ["restoration", *(str(frame.f_globals.get("__name__")) for frame in frames), *_called(error, frames)]
    packages = [name.partition(".")[0] for name in names]
    return [owners[package] for package in packages if package in owners][-1]


def _called(error: BaseException, frames: list[FrameType]) -> list[str]:
    """Return the module of a function that was called with arguments that it does not take: it has no frame itself."""
    if not isinstance(error, TypeError) or not frames:
        return []
    name, mark, _ = str(error).partition("() ")
    last = name.rpartition(".")[2]
    for value in frames[-1].f_locals.values() if mark else ():
        for one in (value, getattr(value if isclass(value) else type(value), last, None)):
            function = getattr(one, "__func__", one)
            if getattr(function, "__qualname__", "") == name:
                return [str(function.__module__)]
    return []


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, ImportError) and NO_ROOM in str(error)):
        return True
    if not isinstance(error, RuntimeError) or "torch" not in sys.modules:
        return False
    from restoration.memory import is_out_of_memory

    return is_out_of_memory(error)
