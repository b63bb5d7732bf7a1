"""Folders of pictures, and of pairs of a clean and a degraded one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from restoration.errors import BadPicture
from restoration.images.codec import SUFFIXES

CLEAN = ("clean", "sharp", "gt", "target", "HR")
"""Names that the folder of the clean pictures of a paired set may have."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A clean picture and, in a paired set, the degraded one; `degraded` is None where a task makes it."""

    clean: Path
    degraded: Path | None = None


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder and its sub-folders, sorted. Raises `BadPicture` if there are none."""
    if not folder.is_dir():
        raise BadPicture(f"{folder} is not a folder")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise BadPicture(f"{folder} holds no pictures ({', '.join(SUFFIXES)})")
    return found


def pairs_in(folder: Path, degraded: Path | None = None) -> list[Pair]:
    """Return the pairs of a folder: its clean pictures and, if it has two sub-folders, those of the same name beside.

    One of the two must be called as `CLEAN` says; the other is the degraded one, whatever its name. With a folder
    `degraded` the other one holds the clean pictures.
    """
    if degraded is not None:
        return _counterparts(folder, degraded)
    parts = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    clean = [part for part in parts if part.name in CLEAN]
    if len(parts) != 2 or len(clean) != 1:
        return [Pair(clean=path) for path in pictures_in(folder)]
    return _counterparts(clean[0], next(part for part in parts if part != clean[0]))


def _counterparts(clean: Path, degraded: Path) -> list[Pair]:
    by_stem = {path.relative_to(degraded).with_suffix(""): path for path in pictures_in(degraded)}
    pairs = []
    for path in pictures_in(clean):
        stem = path.relative_to(clean).with_suffix("")
        if stem not in by_stem:
            raise BadPicture(f"{path} has no counterpart in {degraded}")
        pairs.append(Pair(clean=path, degraded=by_stem[stem]))
    return pairs
