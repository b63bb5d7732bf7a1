"""AVIF and HEIC files by their boxes: what their numbers mean as colours, and whether they hold a film.

ISO/IEC 14496-12 and 23008-12. Pixels are left to libvips.
"""

from __future__ import annotations

from collections.abc import Iterator

FILMS = (b"avis", b"msf1", b"hevc", b"hevx")
"""Brands of files whose pictures follow one another in time."""
COLOUR = b"colrnclx"


def boxes(data: bytes) -> Iterator[tuple[bytes, memoryview, int]]:
    """Give the kinds and contents of the outermost boxes of a file, and how many bytes of each are missing."""
    view, place = memoryview(data), 0
    while place + 8 <= len(data):
        size, kind, start = int.from_bytes(view[place : place + 4], "big"), bytes(view[place + 4 : place + 8]), 8
        if size == 1:
            size, start = int.from_bytes(view[place + 8 : place + 16], "big"), 16
        size = len(data) - place if size == 0 else size
        if size < start:
            return
        yield kind, view[place + start : place + size], max(0, place + size - len(data))
        place += size


def is_film(data: bytes) -> bool:
    """Say whether a file is a sequence of pictures, of which the first is only the one that is shown of it."""
    return data[8:12] in FILMS and any(kind == b"moov" for kind, *_ in boxes(data))


def is_cut(data: bytes) -> bool:
    """Say whether a file ends before its last box does."""
    return any(missing for *_, missing in boxes(data))


def colours(data: bytes) -> bytes | None:
    """Return primaries, transfer, matrix and range, a byte each as PNG's cICP has them; None if they are not said."""
    for kind, content, _ in boxes(data):
        if kind == b"meta":
            held = bytes(content)
            place = held.find(COLOUR)
            code = held[place + 8 : place + 15]
            if place >= 0 and len(code) == 7 and not any((code[0], code[2])):
                return bytes([code[1], code[3], 0, 1])
    return None
