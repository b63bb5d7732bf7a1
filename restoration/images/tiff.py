"""The structure of TIFF files, and of EXIF blocks, which are small ones: directories of tags, read and written.

TIFF 6.0 (Adobe, 1992) and BigTIFF. Pixels are left to libvips.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

LETTERS = {1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 6: "b", 7: "s", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I"}
LETTERS |= {16: "Q", 17: "q", 18: "Q"}
"""What a value of each type is made of, as `struct` has it; 5 and 10 are fractions, 2 and 7 text and bytes."""
EXIF, GPS, INTEROPERABILITY = 34665, 34853, 40965
POINTERS = (EXIF, GPS, INTEROPERABILITY)
"""Tags that point at directories which belong to the one that they stand in."""
PAGES = 10_000
"""A file of more pages is not read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A tag's value: its type, how many there are, their bytes in the order of the file, and where these stand.

    The bytes are a view of the file: many tags may name the same ones.
    """

    kind: int
    count: int
    data: bytes | memoryview
    place: int = -1

    def numbers(self, order: str) -> tuple[float, ...]:
        """Return the values as numbers, fractions as quotients; none if they are no numbers or not all there."""
        letters = LETTERS.get(self.kind, "s")
        if letters == "s" or len(self.data) < self.count * struct.calcsize("=" + letters):
            return ()
        values: tuple[float, ...] = struct.unpack(f"{order}{self.count * len(letters)}{letters[0]}", self.data)
        if len(letters) == 2:
            return tuple(a / b if b else 0.0 for a, b in zip(values[::2], values[1::2], strict=True))
        return values


@dataclass
class Directory:
    """A directory of tags: entries by tag, those that it points at, and where the next one of the file begins."""

    entries: dict[int, Entry]
    children: dict[int, Directory]
    place: int = 0
    next: int = 0
    """Where the place of the next directory is written, 0 if there is none."""


class Structure:
    """The directories of a TIFF file or an EXIF block. Raises `ValueError` if it does not begin as one."""

    def __init__(self, data: bytes) -> None:
        order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
        if order is None or len(data) < 8:
            raise ValueError("no TIFF header")
        self.data, self.view, self.order = data, memoryview(data), order
        version = self._numbers("H", 2)
        if version not in (42, 43):
            raise ValueError("no TIFF header")
        self.big = version == 43
        self.first = self._numbers("Q", 8) if self.big else self._numbers("I", 4)

    def pages(self) -> Iterator[Directory]:
        """Give the directories of the main chain; a chain that bites its tail ends there. Raises `ValueError`."""
        place, seen = self.first, set[int]()
        while place and place not in seen:
            if len(seen) == PAGES:
                raise ValueError(f"it has more than {PAGES} pages")
            seen.add(place)
            directory = self.directory(place)
            yield directory
            place = self._numbers("Q" if self.big else "I", directory.next) if directory.next else 0

    def directory(self, place: int, depth: int = 3) -> Directory:
        """Read the directory at a place, and those that belong to it. Raises `ValueError` if it is not in the file."""
        count = self._numbers("Q" if self.big else "H", place)
        size, start = (20, place + 8) if self.big else (12, place + 2)
        if start + count * size > len(self.data):
            raise ValueError("a directory of its tags is not in the file")
        found = Directory({}, {}, place)
        for at in range(start, start + count * size, size):
            tag, entry = self._entry(at)
            found.entries.setdefault(tag, entry)
        end = start + count * size
        found.next = end if end + (8 if self.big else 4) <= len(self.data) else 0
        for tag in POINTERS if depth else ():
            target = found.entries[tag].numbers(self.order) if tag in found.entries else ()
            if target:
                try:
                    found.children[tag] = self.directory(int(target[0]), depth - 1)
                except ValueError:
                    continue
        return found

    def _entry(self, at: int) -> tuple[int, Entry]:
        if self.big:
            tag, kind, count = struct.unpack_from(self.order + "HHQ", self.data, at)
            inline, letter, at = 8, "Q", at + 12
        else:
            tag, kind, count = struct.unpack_from(self.order + "HHI", self.data, at)
            inline, letter, at = 4, "I", at + 8
        size = count * struct.calcsize("=" + LETTERS.get(kind, "B"))
        place = at if size <= inline else self._numbers(letter, at)
        return tag, Entry(kind, count, self.view[place : place + size], place)

    def _numbers(self, letter: str, place: int) -> int:
        try:
            return int(struct.unpack_from(self.order + letter, self.data, place)[0])
        except struct.error as error:
            raise ValueError("a directory of its tags is not in the file") from error


def reorder_entry(entry: Entry, old: str, new: str) -> Entry:
    """Return an entry with its bytes in another order."""
    letters = LETTERS.get(entry.kind, "s")
    if old == new or letters in ("s", "B", "b"):
        return entry
    letter = letters[0]
    count = len(entry.data) // struct.calcsize("=" + letter)
    values = struct.unpack_from(f"{old}{count}{letter}", entry.data)
    return replace(entry, data=struct.pack(f"{new}{count}{letter}", *values))


def reorder(directory: Directory, old: str, new: str) -> Directory:
    """Return a directory, and those that belong to it, with their bytes in another order."""
    return Directory(
        {tag: reorder_entry(entry, old, new) for tag, entry in directory.entries.items()},
        {tag: reorder(child, old, new) for tag, child in directory.children.items()},
    )


def text(words: str | bytes) -> Entry:
    """Return an entry of text."""
    data = (words.encode() if isinstance(words, str) else words).rstrip(b"\0") + b"\0"
    return Entry(2, len(data), data)


def whole(values: Sequence[int], order: str, kind: int = 4) -> Entry:
    """Return an entry of whole numbers, of 16 (`kind` 3), 32 (4) or 64 bits (16)."""
    return Entry(kind, len(values), struct.pack(f"{order}{len(values)}{LETTERS[kind]}", *values))


def fraction(value: float, order: str) -> Entry:
    """Return an entry of one fraction."""
    return Entry(5, 1, struct.pack(order + "II", round(value * 1000), 1000))


def header(first: int, order: str, *, big: bool = False) -> bytes:
    """Return how a file begins whose first directory is at a place."""
    mark = b"II" if order == "<" else b"MM"
    return mark + (struct.pack(order + "HHHQ", 43, 8, 0, first) if big else struct.pack(order + "HI", 42, first))


def serialise(directory: Directory, place: int, order: str, *, big: bool = False, next: int | None = None) -> bytes:
    """Return the bytes of a directory that will stand at a place, which is even, with those that belong to it.

    `next` is where the next one of the file will stand; None says that it follows these bytes at once.
    """
    tags = sorted({**directory.entries, **dict.fromkeys(directory.children)})
    shape, pointer, inline = ("HHQ", "Q", 8) if big else ("HHI", "I", 4)
    table = struct.calcsize("=" + ("Q" if big else "H") + pointer) + len(tags) * struct.calcsize("=" + shape + pointer)
    rows, values = [], bytearray(table % 2)
    for tag in tags:
        if tag in directory.children:
            at = place + table + len(values)
            values += serialise(directory.children[tag], at, order, big=big, next=0)
            entry = whole([at], order, 16 if big else 4)
        else:
            entry = directory.entries[tag]
        data = bytes(entry.data).ljust(inline, b"\0")
        if len(data) > inline:
            data = struct.pack(order + pointer, place + table + len(values))
            values += bytes(entry.data) + bytes(len(entry.data) % 2)
        rows.append(struct.pack(order + shape, tag, entry.kind, entry.count) + data)
    follows = place + table + len(values) if next is None else next
    return (
        struct.pack(order + ("Q" if big else "H"), len(tags))
        + b"".join(rows)
        + struct.pack(order + pointer, follows)
        + bytes(values)
    )


def block(directory: Directory, order: str) -> bytes:
    """Return an EXIF block of one directory and those that belong to it."""
    return header(8, order) + serialise(directory, 8, order, next=0)


def resolution(entries: Mapping[int, Entry], order: str) -> tuple[float, float] | None:
    """Return pixels an inch, across and down, if the tags of a directory say so."""
    x, y = (entries[tag].numbers(order) if tag in entries else () for tag in (282, 283))
    unit = entries[296].numbers(order) if 296 in entries else (2,)
    factor = {2: 1.0, 3: 2.54}.get(int(unit[0]) if unit else 2)
    if not (factor and x and y and x[0] > 0 and y[0] > 0):
        return None
    return round(x[0] * factor, 3), round(y[0] * factor, 3)


def join(files: Sequence[tuple[bytes, Directory]]) -> bytes:
    """Return one file of the first pages of several that libvips wrote, each with further tags.

    Their bytes are in one order, and all are classic TIFF or all BigTIFF.
    """
    first = Structure(files[0][0])
    order, big = first.order, first.big
    body, pages = bytearray(16), list[Directory]()
    for data, more in files:
        structure = Structure(data)
        page = next(structure.pages())
        for places, sizes in ((273, 279), (324, 325)):
            if places not in page.entries:
                continue
            starts = []
            spans = (map(int, page.entries[tag].numbers(order)) for tag in (places, sizes))
            for start, size in zip(*spans, strict=True):
                starts.append(len(body))
                body += structure.view[start : start + size]
                body += bytes(size % 2)
            page.entries[places] = whole(starts, order, 16 if big else 4)
        pages.append(Directory({**page.entries, **more.entries}, more.children))
    if len(pages) > 1:
        for number, page in enumerate(pages):
            page.entries[254] = whole([2], order)
            page.entries[297] = whole([number, len(pages)], order, 3)
    start = len(body)
    for number, page in enumerate(pages):
        last = number == len(pages) - 1
        body += serialise(page, len(body), order, big=big, next=0 if last else None)
    body[:16] = header(start, order, big=big).ljust(16, b"\0")
    return bytes(body)
