"""WebP files by their chunks: how they were compressed, and what they hold beside the pixels.

The container of RFC 9649. Pixels are left to libvips.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

HAS_ICC, HAS_ALPHA, HAS_EXIF, HAS_XMP = 0x20, 0x10, 0x08, 0x04


def chunks(data: bytes, place: int = 12) -> Iterator[tuple[bytes, memoryview]]:
    """Give the kinds and contents of the chunks of a file."""
    view = memoryview(data)
    while place + 8 <= len(data):
        size = int.from_bytes(view[place + 4 : place + 8], "little")
        yield bytes(view[place : place + 4]), view[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


def is_cut(data: bytes) -> bool:
    """Say whether a file is shorter than it says."""
    return len(data) < int.from_bytes(data[4:8], "little") + 8


def lossless(data: bytes) -> bool:
    """Say whether a file keeps its pixels as they are; of an animation the first frame tells."""
    for kind, content in chunks(data):
        if kind == b"ANMF":
            return any(inner == b"VP8L" for inner, _ in chunks(bytes(content), 16))
        if kind in (b"VP8 ", b"VP8L"):
            return kind == b"VP8L"
    return False


def add_metadata(data: bytes, exif: bytes | None, xmp: bytes | None, width: int, height: int, alpha: bool) -> bytes:
    """Return a file that libvips wrote with further chunks.

    * `data`: the file.
    * `exif`, `xmp`: blocks, None for none.
    * `width`, `height`, `alpha`: the size of the picture, and whether it has an alpha channel.
    """
    if not exif and not xmp:
        return data
    kept = {kind: bytes(content) for kind, content in chunks(data) if kind in (b"VP8X", b"ICCP")}
    flags, size = kept.get(b"VP8X", bytes([HAS_ALPHA * alpha])), struct.pack("<II", width - 1, height - 1)
    header = bytes([flags[0] | HAS_EXIF * bool(exif) | HAS_XMP * bool(xmp), 0, 0, 0]) + size[:3] + size[4:7]
    body = [_chunk(b"VP8X", header)]
    body += [_chunk(kind, bytes(content)) for kind, content in chunks(data) if kind != b"VP8X"]
    body += [_chunk(b"EXIF", exif)] if exif else []
    body += [_chunk(b"XMP ", xmp)] if xmp else []
    inside = b"WEBP" + b"".join(body)
    return b"RIFF" + struct.pack("<I", len(inside)) + inside


def _chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
