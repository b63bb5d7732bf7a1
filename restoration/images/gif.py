"""GIF files by their blocks: whether they are whole. libvips takes the frames that it finds for all that there are.

GIF89a (CompuServe, 1990). Pixels are left to libvips.
"""

from __future__ import annotations

IMAGE, EXTENSION, TRAILER = 0x2C, 0x21, 0x3B


def is_cut(data: bytes) -> bool:
    """Say whether a file ends before its trailer."""
    place = 13 + _table(data[10]) if len(data) > 13 else len(data)
    while place < len(data):
        if data[place] == TRAILER:
            return False
        if data[place] == IMAGE and place + 10 < len(data):
            place = _after_blocks(data, place + 11 + _table(data[place + 9]))
        elif data[place] == EXTENSION:
            place = _after_blocks(data, place + 2)
        else:
            return True
    return True


def _table(flags: int) -> int:
    """Return the bytes of a table of colours, by the flags that announce it."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, place: int) -> int:
    """Return the place after blocks of up to 255 bytes, the last of which is empty."""
    while place < len(data) and data[place]:
        place += data[place] + 1
    return place + 1
