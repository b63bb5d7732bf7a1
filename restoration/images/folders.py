"""Pictures and pairs of a clean and a degraded one: in folders, in shards, or in IDX files."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from restoration.errors import BadPicture, plain
from restoration.images.files import Source
from restoration.images.formats import is_picture, readable
from restoration.images.idx import entries_of, idx_files_of
from restoration.images.names import CLEAN, Template, examples, match, match_templates
from restoration.images.roles import roles_of, stem_of
from restoration.images.shards import members_of, shards_of

log = logging.getLogger("restoration")

__all__ = ["CLEAN", "Pair", "bursts_in", "pairs_in", "pictures_in", "scene_of", "singles_in"]

SHOWN = 5
"""Number of kinds of other files that a note names at most."""
Named = dict[str, Source]
"""Pictures by their paths below a folder, or in a shard."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A clean picture and, in a paired set, the degraded one; `degraded` is None where a task makes it."""

    clean: Source
    degraded: Source | None = None


def pictures_in(folder: Path, *, without: Path | None = None, remark: bool = True) -> list[Path]:
    """Return the pictures of a folder and its sub-folders, sorted; those in the folder `without` are none of them.

    With `remark` it is logged how many other files there are. Raises `BadPicture` if there are no pictures.
    """
    if not folder.is_dir():
        raise BadPicture(f"{folder} is not a folder")
    found: list[str] = []
    others: Counter[str] = Counter()
    for place, folders, names in os.walk(folder):  # which asks nothing about files: they may be many
        if without is not None:
            folders[:] = [name for name in folders if not _is_same(os.path.join(place, name), without)]
        pictures = [name for name in names if is_picture(name)]
        found += [os.path.join(place, name) for name in pictures]
        if len(pictures) < len(names):
            others.update(os.path.splitext(name)[1].lower() or name for name in {*names}.difference(pictures))
    if others and remark:
        kinds = ", ".join(f"{plain(kind)} ({number})" for kind, number in others.most_common(SHOWN))
        log.info("%s holds %d files that are no pictures of a known format: %s", folder, others.total(), kinds)
    if not found:
        raise BadPicture(f"{folder} holds no pictures ({', '.join(readable())})")
    return [Path(name) for name in sorted(found, key=lambda name: name.split(os.sep))]


def pairs_in(
    data: Path,
    degraded: Path | None = None,
    *,
    clean_name: str = "",
    degraded_name: str = "",
    without: Path | None = None,
) -> list[Pair]:
    """Return the pairs of a folder, shards or IDX files, sorted by the clean pictures; these alone if it has no pairs.

    What is clean and what degraded is read from the names of folders (`GT` and `LQ`, `sharp` and `blur`, at any depth),
    else from those of files (`x.clean.png` and `x.degraded.png`), see `restoration.images.roles`. With another folder,
    or shards, of `degraded` pictures, `data` holds the clean ones. Which belong together their names say: by templates
    such as `{name}` and `{name}x4`, or, without any, as `restoration.images.names.match` finds. What lies in the folder
    `without`, such as that of the results, is left out.

    Raises `BadPicture` for folders that look like pairs and cannot be told apart, and for pictures without a
    counterpart; `BadOption` for what is no template.
    """
    named = _named(data, without)
    if degraded is None:
        roles = roles_of(data, named)
        if roles is None:
            return [Pair(clean=source) for source in named.values()]
        clean, damaged = roles
    else:
        clean, damaged = (
            {stem_of(path): one for path, one in part.items()} for part in (named, _named(degraded, without))
        )
    if clean_name or degraded_name:
        found = match_templates([*clean], [*damaged], (Template(clean_name), Template(degraded_name)))
    else:
        found = match([*clean], [*damaged])
    return _pair(clean, damaged, found, f"{data} and {degraded}" if degraded else str(data))


def singles_in(data: Path, *, without: Path | None = None) -> list[Pair]:
    """Return the pictures of a folder or of shards, each alone, whatever they are called. Raises `BadPicture`."""
    return [Pair(clean=source) for source in _named(data, without).values()]


def bursts_in(data: Path, *, without: Path | None = None) -> list[Pair]:
    """Return pairs of pictures of one scene, of which there is a folder each in `data`, or in shards.

    Each picture of a scene is paired with the next one, and the last with the first. Raises `BadPicture` for a picture
    that is in no such folder, or alone in it.
    """
    scenes: dict[str, list[Source]] = {}
    for path, source in _named(data, without).items():
        scenes.setdefault(path.rpartition("/")[0], []).append(source)
    alone = [sources[0] for scene, sources in scenes.items() if not scene or len(sources) == 1]
    if alone:
        raise BadPicture(
            f"{examples(alone)} {'is' if len(alone) == 1 else 'are'} not one of several pictures of a scene: in {data} "
            "each scene is a folder with all noisy pictures of it"
        )
    return [
        Pair(clean=first, degraded=second)
        for sources in scenes.values()
        for first, second in zip(sources, [*sources[1:], *sources[: len(sources) > 2]], strict=False)
    ]


def scene_of(pair: Pair) -> str:
    """Return the folder that the pictures of a scene lie in, see `bursts_in`."""
    return os.path.dirname(str(pair.clean))


def _named(data: Path, without: Path | None = None) -> Named:
    """Return the pictures that something names by their paths in it."""
    shards = shards_of(data)
    if shards and _has_pictures(data):
        log.warning("%s holds pictures and shards; these are left out: %s", data, examples(shards))
    elif shards:
        return {member.path: member for member in members_of(shards)}
    idx = [] if shards else idx_files_of(data)
    if idx and not _has_pictures(data):
        return {entry.path: entry for entry in entries_of(idx)}
    start = 0 if data == Path() else len(os.path.join(data, ""))  # "./a.png" is called "a.png"
    return {path.as_posix()[start:]: path for path in pictures_in(data, without=without)}


def _is_same(path: str, other: Path) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _has_pictures(folder: Path) -> bool:
    """Return whether there is a picture in a folder or its sub-folders; no if it is no folder."""
    return any(is_picture(name) for _, _, names in os.walk(folder) for name in names)


def _pair(clean: Named, degraded: Named, found: Mapping[str, str], where: str) -> list[Pair]:
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
