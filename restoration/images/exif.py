"""EXIF: what a camera or a scanner wrote about a picture, made true again for the picture that comes out.

The pixels are upright and of another size, and what they show as a thumbnail is gone. Blocks are changed where they
stand, byte by byte, since the notes of makers count places from the beginning; only where a block moves from or to the
tags of a TIFF file it is written anew (Exif 2.32, JEITA CP-3451E).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING

from restoration.images import tiff
from restoration.images.tiff import Directory, Entry, Structure

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = b"Exif\0\0"
"""What JPEG, and some who write other formats, put before a block."""
ORIENTATION, USER_COMMENT = 274, 37510
WIDTHS, HEIGHTS = (256, 4097, 40962), (257, 4098, 40963)
"""How large the picture is: as phones say, as the original of a copy, and as the standard wants it said."""
NAMED = {"Title": 270, "Description": 270, "Author": 315, "Copyright": 33432, "Software": 305}
"""Keywords of PNG's texts that have a tag of their own."""
DESCRIPTIVE = frozenset(
    {269, 270, 271, 272, 285, 297, 305, 306, 315, 316, 18246, 18249, 33432, 36864, 40091, 40092, 40093, 40094, 40095}
)
"""Tags of a TIFF file's directory that tell of the picture, not of how its pixels are stored."""


def block(data: bytes) -> bytes | None:
    """Return a block without what is put before it, and with nothing of the damaged picture; None if it is unreadable.

    The orientation becomes 1, as the pixels are upright; the thumbnail, and what points at it, is overwritten.
    """
    data = data.removeprefix(PREFIX)
    try:
        structure = Structure(data)
        first = structure.directory(structure.first)
        kept, used = bytearray(data), list(_spans(first))
        if ORIENTATION in first.entries:
            _put(kept, structure, first.entries[ORIENTATION], 1)
        if first.next:
            kept[first.next : first.next + 4] = bytes(4)
        for start, stop in _thumbnails(structure):
            if not any(start < end and begin < stop for begin, end in used):
                kept[start:stop] = bytes(len(kept[start:stop]))
        return bytes(kept[: max(*(end for _, end in used), len(kept.rstrip(b"\0")))])
    except (ValueError, struct.error):
        return None


def _spans(directory: Directory) -> Iterator[tuple[int, int]]:
    """Where a directory, its values and what belongs to it stand."""
    yield directory.place, directory.next + 4
    yield from ((entry.place, entry.place + len(entry.data)) for entry in directory.entries.values())
    for child in directory.children.values():
        yield from _spans(child)


def _thumbnails(structure: Structure) -> Iterator[tuple[int, int]]:
    """Where the small pictures of the later directories stand, and those directories themselves."""
    pages = structure.pages()
    next(pages)
    try:
        for page in pages:
            yield page.place, page.next + 4
            for places, lengths in ((513, 514), (273, 279)):
                if places in page.entries and lengths in page.entries:
                    starts = page.entries[places].numbers(structure.order)
                    sizes = page.entries[lengths].numbers(structure.order)
                    yield from ((int(a), int(a + b)) for a, b in zip(starts, sizes, strict=False))
    except ValueError:
        return


def _put(data: bytearray, structure: Structure, entry: Entry, value: int) -> None:
    """Overwrite a single whole number where it stands."""
    letter = {3: "H", 4: "I"}.get(entry.kind)
    if letter and entry.count == 1 and value < 1 << 8 * struct.calcsize("=" + letter):
        struct.pack_into(structure.order + letter, data, entry.place, value)


def set_size(data: bytes, width: int, height: int) -> bytes:
    """Return a block that says the size of the picture, where it says one."""
    try:
        structure = Structure(data)
        first = structure.directory(structure.first)
    except ValueError:
        return data
    changed, waiting = bytearray(data), [first]
    for directory in waiting:
        waiting += directory.children.values()
        for entry, value in ((directory.entries.get(tag), size) for tag, size in sizes(width, height)):
            if entry is not None:
                _put(changed, structure, entry, value)
    return bytes(changed)


def sizes(width: int, height: int) -> list[tuple[int, int]]:
    """Return the tags of the width and height of a picture, in whatever directory they stand, with their values."""
    return [(tag, width) for tag in WIDTHS] + [(tag, height) for tag in HEIGHTS]


def resolution(data: bytes) -> tuple[float, float] | None:
    """Return pixels an inch, across and down, if a block says so."""
    try:
        structure = Structure(data)
        return tiff.resolution(structure.directory(structure.first).entries, structure.order)
    except ValueError:
        return None


def of_tiff(page: Directory, order: str) -> bytes | None:
    """Return a block of what the tags of a TIFF file tell about the picture; None if they tell nothing."""
    told = {tag: entry for tag, entry in page.entries.items() if tag in DESCRIPTIVE}
    children = {tag: child for tag, child in page.children.items() if tag != tiff.INTEROPERABILITY}
    return tiff.block(Directory(told, children), order) if told or children else None


def for_tiff(data: bytes, order: str) -> Directory:
    """Return what a block tells about the picture as tags of a TIFF file, with their bytes in an order."""
    try:
        structure = Structure(data)
        first = structure.directory(structure.first)
    except ValueError:
        return Directory({}, {})
    told = {tag: entry for tag, entry in first.entries.items() if tag in DESCRIPTIVE}
    children = {tag: child for tag, child in first.children.items() if tag != tiff.INTEROPERABILITY}
    return tiff.reorder(Directory(told, children), structure.order, order)


def with_texts(data: bytes | None, texts: Mapping[str, str]) -> bytes | None:
    """Return a block that also holds texts by their keywords, those of a PNG, say, where it has none of its own.

    What no tag is for goes into the comment of the user: the "parameters" of programs that make pictures, which look
    for them there, a bare comment, and all else in lines of "keyword: text".
    """
    order, first = ">", Directory({}, {})
    if data is not None:
        structure = Structure(data)
        order, first = structure.order, structure.directory(structure.first)
    rest = {}
    for keyword, words in texts.items():
        tag = NAMED.get(keyword)
        if tag is not None and tag not in first.entries:
            first.entries[tag] = tiff.text(words)
        elif tag is None or bytes(first.entries[tag].data).rstrip(b"\0") != words.encode():
            rest[keyword] = words
    inner = first.children.setdefault(tiff.EXIF, Directory({}, {})) if rest else Directory({}, {})
    if rest and not _said(inner):
        bare = next((keyword for keyword in ("parameters", "Comment") if keyword in rest), "")
        lines = [rest.pop(bare)] if bare else []
        lines += [f"{keyword}: {words}" for keyword, words in rest.items()]
        coded = b"UNICODE\0" + "\n".join(lines).encode("utf-16-be")  # whatever the order: so it is read
        inner.entries[USER_COMMENT] = Entry(7, len(coded), coded)
    return tiff.block(first, order) if first.entries or first.children else None


def _said(directory: Directory) -> bool:
    """Whether the user commented on the picture."""
    entry = directory.entries.get(USER_COMMENT)
    return entry is not None and bool(bytes(entry.data)[8:].strip(b"\0 "))


def with_resolution(data: bytes | None, dpi: tuple[float, float]) -> bytes:
    """Return a block that says the resolution, in pixels an inch, for formats that have no other place for it."""
    order, first = "<", Directory({}, {})
    if data is not None:
        if resolution(data) is not None:
            return data
        structure = Structure(data)
        order, first = structure.order, structure.directory(structure.first)
    first.entries[282], first.entries[283] = (tiff.fraction(value, order) for value in dpi)
    first.entries[296] = tiff.whole([2], order, 3)
    return tiff.block(first, order)
