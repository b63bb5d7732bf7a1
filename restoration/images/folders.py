"""Pictures and pairs of a clean and a degraded one: in a folder and its sub-folders, in two folders, or in shards."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from restoration.errors import BadPicture
from restoration.images.files import Source
from restoration.images.formats import is_picture, readable
from restoration.images.names import CLEAN, Template, examples, match, match_templates
from restoration.images.roles import roles_of, stem_of
from restoration.images.shards import members_of, shards_of

__all__ = ["CLEAN", "Pair", "pairs_in", "pictures_in"]

Named = dict[str, Source]
"""Pictures by their paths below a folder, or in a shard."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A clean picture and, in a paired set, the degraded one; `degraded` is None where a task makes it."""

    clean: Source
    degraded: Source | None = None


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder and its sub-folders, sorted. Raises `BadPicture` if there are none."""
    if not folder.is_dir():
        raise BadPicture(f"{folder} is not a folder")
    found: list[str] = []
    for place, _, names in os.walk(folder):  # lists every folder once, and asks nothing about files: they may be many
        found += [os.path.join(place, name) for name in names if is_picture(name)]
    if not found:
        raise BadPicture(f"{folder} holds no pictures ({', '.join(readable())})")
    return [Path(name) for name in sorted(found, key=lambda name: name.split(os.sep))]


def pairs_in(data: Path, degraded: Path | None = None, *, clean_name: str = "", degraded_name: str = "") -> list[Pair]:
    """Return the pairs of a folder or of shards, sorted by their clean pictures; clean pictures alone if it has none.

    What is clean and what degraded is read from the names of folders (`GT` and `LQ`, `sharp` and `blur`, at any depth),
    else from those of files (`x.clean.png` and `x.degraded.png`), see `restoration.images.roles`. With another folder,
    or shards, of `degraded` pictures, `data` holds the clean ones. Which belong together their names say: by templates
    such as `{name}` and `{name}x4`, or, without any, as `restoration.images.names.match` finds.

    Raises `BadPicture` for folders that look like pairs and cannot be told apart, and for pictures without a
    counterpart; `BadOption` for what is no template.
    """
    named = _named(data)
    if degraded is None:
        roles = roles_of(data, named)
        if roles is None:
            return [Pair(clean=source) for source in named.values()]
        clean, damaged = roles
    else:
        clean, damaged = ({stem_of(path): one for path, one in part.items()} for part in (named, _named(degraded)))
    if clean_name or degraded_name:
        found = match_templates([*clean], [*damaged], (Template(clean_name), Template(degraded_name)))
    else:
        found = match([*clean], [*damaged])
    return _paired(clean, damaged, found, f"{data} and {degraded}" if degraded else str(data))


def _named(data: Path) -> Named:
    """Return the pictures that something names by their paths in it."""
    shards = shards_of(data)
    if shards:
        return {member.path: member for member in members_of(shards)}
    start = 0 if data == Path() else len(os.path.join(data, ""))  # "./a.png" is called "a.png"
    return {path.as_posix()[start:]: path for path in pictures_in(data)}


def _paired(clean: Named, degraded: Named, found: Mapping[str, str], where: str) -> list[Pair]:
    """Return the pairs that were found. Raises `BadPicture` if that is not all."""
    alone = {
        "clean": [clean[path] for path in clean.keys() - found.values()],
        "degraded": [degraded[path] for path in degraded.keys() - found.keys()],
    }
    for role, sources in alone.items():
        if sources:
            many = f"{len(sources)} of {len(clean if role == 'clean' else degraded)} {role} pictures"
            raise BadPicture(
                f"{examples(sources)} {'has' if len(sources) == 1 else 'have'} no counterpart ({many} of {where}); "
                "take them away, or say how files are named: --clean DIR --degraded DIR --degraded-name '{name}_x'"
            )
    places = {path: place for place, path in enumerate(clean)}
    order = sorted(found, key=lambda path: places[found[path]])
    return [Pair(clean=clean[found[path]], degraded=degraded[path]) for path in order]
