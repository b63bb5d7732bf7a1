"""Which pictures of a set are clean and which degraded, by the names of their folders, or else of their files."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from restoration.errors import BadPicture
from restoration.images.names import SCALE, examples, match, role_of_file, role_of_folder

log = logging.getLogger("restoration")
S = TypeVar("S")

BESIDE = ("mask", "masks", "kernel", "kernels")
"""Folders beside degraded pictures that hold what they were degraded with."""
OPPOSITE = {"clean": "degraded", "degraded": "clean"}
ASK = "say which with --clean DIR --degraded DIR"


@dataclass(frozen=True)
class Place:
    """Where a picture lies in a set: its role, the folder that says it, a folder such as X4 below, and its own name.

    The name is its path without these folders and without a suffix: that of its counterpart, or nearly.
    """

    role: str
    folder: str
    scale: str
    name: str


def roles_of(data: Path, named: dict[str, S]) -> tuple[dict[str, S], dict[str, S]] | None:
    """Return the clean and the degraded pictures of a set by their names, None if it has no such two kinds.

    `named` are pictures by their paths in `data`. Raises `BadPicture` where there seem to be two kinds, and names do
    not say which is which.
    """
    return _by_folders(data, named) or _by_files(data, named)


def stem_of(path: str) -> str:
    """Return a path without its suffix."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + name.rpartition(".")[0]


def _by_folders(data: Path, named: dict[str, S]) -> tuple[dict[str, S], dict[str, S]] | None:
    places = {path: _place(path) for path in named}
    roles = {place.role for place in places.values()} - {""}
    tops = sorted({path.partition("/")[0] if "/" in path else "" for path in named})
    if len(roles) < 2 and len(tops) == 2 and tops[0]:  # of two folders it is enough that one says what it is
        unknown = [top for top in tops if not role_of_folder(top)]
        if len(unknown) == 2 and _look_alike(named, tops):
            neither = f"neither {tops[0]} nor {tops[1]} is a name for clean"
            raise BadPicture(f"{data} looks like pairs, but {neither}; call them GT and LQ, or {ASK}")
        if len(roles) == len(unknown) == 1:
            opposite = OPPOSITE[min(roles)]
            inside = [path for path in named if path.startswith(f"{unknown[0]}/")]
            places |= {path: _place(path, {unknown[0]: opposite}) for path in inside}
            roles.add(opposite)
    return _sorted_out(data, named, places) if len(roles) == 2 else None


def _place(path: str, told: dict[str, str] | None = None) -> Place:
    """Read the deepest folder of a path that says what its pictures are, by its name or because it was `told`."""
    *folders, name = path.split("/")
    known = told or {}
    for i in reversed(range(len(folders))):
        role = known.get(folders[i]) or role_of_folder(folders[i])
        if role and not any(folder.lower() in BESIDE for folder in folders):
            scale = next(filter(SCALE.fullmatch, folders[i + 1 :]), "")
            rest = [*folders[:i], *(folder for folder in folders[i + 1 :] if folder != scale), name]
            return Place(role, "/".join(folders[: i + 1]), scale, stem_of("/".join(rest)))
    return Place("", "/".join(folders), "", stem_of(path))


def _look_alike(named: dict[str, S], tops: list[str]) -> bool:
    """Say whether half of the pictures of two folders, or more, have a twin of the same name in the other."""
    first, second = ({stem_of(path)[len(top) :] for path in named if path.startswith(f"{top}/")} for top in tops)
    return 2 * len(first & second) >= min(len(first), len(second))


def _sorted_out(data: Path, named: dict[str, S], places: dict[str, Place]) -> tuple[dict[str, S], dict[str, S]]:
    """Return clean and degraded pictures. Raises `BadPicture` where two folders, or two files, could be meant."""
    parts: dict[str, dict[str, S]] = {"clean": {}, "degraded": {}, "": {}}
    seen: dict[tuple[str, str], Place] = {}
    for path, place in places.items():
        for key in ((place.role, place.name), (place.role, place.folder)):
            other = seen.setdefault(key, place)
            if place.role and (other.scale, other.folder) != (place.scale, place.folder):
                folders = " and ".join("/".join(filter(None, (one.folder, one.scale))) for one in (other, place))
                raise BadPicture(f"in {data} both {folders} are {place.role}; {ASK}")
        if place.name in parts[place.role]:
            raise BadPicture(f"{parts[place.role][place.name]} and {named[path]} have one name; take one of them away")
        parts[place.role][place.name] = named[path]
    beside = [named[path] for path, place in places.items() if not place.role and not _is_beside(path)]
    if beside:
        one = len(beside) == 1
        words = "belongs to no pair and is" if one else "belong to no pair and are"
        log.warning(
            "%d picture%s of %s %s left out: %s", len(beside), "" if one else "s", data, words, examples(beside)
        )
    return parts["clean"], parts["degraded"]


def _is_beside(path: str) -> bool:
    return any(folder.lower() in BESIDE for folder in path.split("/")[:-1])


def _by_files(data: Path, named: dict[str, S]) -> tuple[dict[str, S], dict[str, S]] | None:
    """Return the two kinds if names say what some are: `x.clean.png` and `x.rain.png`, `x_noisy.png` and `x.png`."""
    places = {path: _place(path) for path in named}
    roles = {path: role_of_file(path.rpartition("/")[2].rpartition(".")[0]) for path in named}
    for role in OPPOSITE:
        parts: dict[bool, dict[str, S]] = {True: {}, False: {}}
        for path, place in places.items():
            parts[role in (roles[path], place.role)][place.name] = named[path]
        if not parts[True] or not parts[False]:
            continue
        clean, degraded = parts[role == "clean"], parts[role != "clean"]
        found = match([*clean], [*degraded])
        if len(found) == len(degraded) and len({*found.values()}) == len(clean):
            return clean, degraded
        if 2 * len(found) >= len(degraded):
            alone = [degraded[path] for path in degraded.keys() - found.keys()]
            alone = alone or [clean[path] for path in clean.keys() - found.values()]
            raise BadPicture(
                f"{data} looks like pairs, but {examples(alone)} have no counterpart; take them away, or {ASK}"
            )
    return None
