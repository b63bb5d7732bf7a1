"""Where folders are kept that files were converted to: the cache of the user, by the SHA-256 of each file."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from restoration.registry import registry
from restoration.registry.cards import LayoutCard
from restoration.version import __version__

VARIABLE = "RESTORE_CACHE"
"""Names another folder for the cache."""


def cache_folder() -> Path:
    """Return the folder of the cache: `RESTORE_CACHE`, or `restoration` in the place that the system has for caches."""
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # as the specification of XDG demands
        home = Path.home()
        if sys.platform == "darwin":
            base = str(home / "Library" / "Caches")
        else:
            base = os.environ.get("LOCALAPPDATA", str(home)) if sys.platform == "win32" else str(home / ".cache")
    return Path(base) / "restoration"


def kept(sha256: str, purpose: str, make: Callable[[Path], None]) -> Path:
    """Return the folder that a file was converted to for some purpose; `make` fills it if it is not there yet.

    A folder under its final name is whole, whoever makes it at the same time. What other versions of the toolbox or of
    the plugins have made is not used. Where nothing can be kept, it is a folder that goes with this process.
    """
    digest = hashlib.sha256("\n".join([*_versions(), purpose]).encode()).hexdigest()[:16]
    folder = cache_folder() / "weights" / sha256 / digest
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    except OSError:
        folder = _passing() / sha256 / digest
        if folder.is_dir():
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    try:
        make(part)
        try:
            os.replace(part, folder)
        except OSError:
            if not folder.is_dir():  # else somebody else was faster
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _versions() -> list[str]:
    """Return the versions of what converts files: another one may know more of them, or better."""
    plugins = [one for one in registry().plugins if any(isinstance(card, LayoutCard) for card in one.cards)]
    return [__version__, *sorted(f"{one.name} {one.version}" for one in plugins)]


@cache
def _passing() -> Path:
    """Return a folder that is there until this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="restoration-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
