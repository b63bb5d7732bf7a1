"""JPEG files by their segments: how they were compressed, and what they hold beside the pixels.

ITU-T T.81 and JFIF 1.02. Pixels are left to libvips.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from restoration.images import tiff
from restoration.images.remarks import ABOUT, remark
from restoration.picture import Compression

SOI, SOS, EOI, DQT, COM, APP0, APP1, APP2, APP13 = 0xD8, 0xDA, 0xD9, 0xDB, 0xFE, 0xE0, 0xE1, 0xE2, 0xED
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers that begin a frame; the third, and every fourth after it, is of a progressive one."""
XMP, PHOTOSHOP = b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"
GAIN_MAPS = (b"http://ns.adobe.com/hdr-gain-map/1.0/", b"http://ns.apple.com/HDRGainMap/1.0/")
LARGEST = 65533
"""Bytes that a segment holds."""
SCANS = 200
"""A file of more scans is no picture but a trap: each takes the time of a picture."""
LUMINANCE: tuple[int, ...] = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29),
    *(51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121),
    *(120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
"""The table of T.81, K.1, that qualities are counted from."""


@dataclass
class Header:
    """What the segments before the pixels say; `samples` are the factors of each component, across and down."""

    width: int = 0
    height: int = 0
    progressive: bool = False
    samples: list[tuple[int, int]] = field(default_factory=list)
    table: tuple[int, ...] = ()
    dpi: tuple[float, float] | None = None
    comments: list[bytes] = field(default_factory=list)
    resources: bytes = b""
    scans: int = 0
    pictures: list[int] = field(default_factory=list)
    has_gain_map: bool = False

    @property
    def views(self) -> int:
        """How many of its pictures show the subject anew, not as a thumbnail or, in an unnamed one, as a gain map."""
        return sum(kind >> 16 in (2, 3) or (not kind and not self.has_gain_map) for kind in self.pictures)

    def compression(self) -> Compression:
        """Return how the file was compressed, as far as its tables tell."""
        halved = len(self.samples) == 3 and self.samples[0][0] * self.samples[0][1] >= 4
        return Compression(quality=quality(self.table), halved_colours=halved, progressive=self.progressive)


def segments(data: bytes) -> Iterator[tuple[int, memoryview, int]]:
    """Give the markers, contents and places of the segments of a file, up to the header of its first scan."""
    view, place = memoryview(data), 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            return
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        size = int.from_bytes(view[place + 2 : place + 4], "big")
        yield marker, view[place + 4 : place + 2 + size], place
        if marker == SOS:
            return
        place += 2 + size


def header(data: bytes) -> Header:
    """Read the segments of a file as far as they make sense."""
    found = Header()
    for marker, content, place in segments(data):
        if marker in FRAMES and len(content) >= 6:
            found.height, found.width, count = struct.unpack(">xHHB", content[:6])
            found.samples = [(s >> 4, s & 15) for s in bytes(content[7 : 7 + 3 * count : 3])]
            found.progressive = marker % 4 == 2
        elif marker == DQT:
            found.table = found.table or _first_table(bytes(content))
        elif marker == APP0 and bytes(content[:5]) == b"JFIF\0" and len(content) >= 12:
            unit, x, y = struct.unpack(">BHH", content[7:12])
            factor = {1: 1.0, 2: 2.54}.get(unit)
            found.dpi = (x * factor, y * factor) if factor and x and y else None
        elif marker == COM:
            found.comments.append(bytes(content))
        elif marker == APP13 and bytes(content[:14]) == PHOTOSHOP:
            found.resources += bytes(content[14:])
        elif marker == APP1 and bytes(content[: len(XMP)]) == XMP:
            found.has_gain_map = any(name in bytes(content) for name in GAIN_MAPS)
        elif marker == APP2 and bytes(content[:4]) == b"MPF\0":
            found.pictures = _pictures(bytes(content[4:]))
        elif marker == SOS:
            found.scans = data.count(b"\xff\xda", place)
    return found


def _pictures(index: bytes) -> list[int]:
    """Return the kinds of the pictures of a file of several (CIPA DC-007, tag 45058)."""
    try:
        structure = tiff.Structure(index)
        entries = bytes(structure.directory(structure.first).entries[45058].data)
    except (ValueError, KeyError):
        return []
    order: Literal["little", "big"] = "little" if structure.order == "<" else "big"
    return [int.from_bytes(entries[place : place + 4], order) & 0xFFFFFF for place in range(0, len(entries), 16)]


def _first_table(content: bytes) -> tuple[int, ...]:
    """The table of the luminance, number 0, if a segment holds it."""
    place = 0
    while place < len(content):
        wide, number = content[place] >> 4, content[place] & 15
        size = 128 if wide else 64
        values = content[place + 1 : place + 1 + size]
        if number == 0 and len(values) == size:
            return struct.unpack(">64H", values) if wide else tuple(values)
        place += 1 + size
    return ()


@cache
def _sums() -> list[int]:
    """The sum of the table of each quality from 1 to 100, as the Independent JPEG Group scales it."""
    scales = [5000 // q if q < 50 else 200 - 2 * q for q in range(1, 101)]
    return [sum(min(max((base * scale + 50) // 100, 1), 255) for base in LUMINANCE) for scale in scales]


def quality(table: Sequence[int]) -> int | None:
    """Return the quality, 1 to 100, whose table is as coarse as this one; None for no table.

    For tables of the Independent JPEG Group it is the one that they were made with.
    """
    if not table:
        return None
    coarse, sums = sum(table), _sums()
    return min(range(100), key=lambda place: (abs(sums[place] - coarse), -place)) + 1


def resources(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Give the numbers, the contents and the whole bytes of Photoshop's resources."""
    place = 0
    while data[place : place + 4] == b"8BIM" and place + 12 <= len(data):
        number = int.from_bytes(data[place + 4 : place + 6], "big")
        start = place + 6 + (data[place + 6] + 2) // 2 * 2
        size = int.from_bytes(data[start : start + 4], "big")
        stop = start + 4 + size
        yield number, data[start + 4 : stop], data[place : stop + size % 2]
        place = stop + size % 2


def resource(number: int, content: bytes) -> bytes:
    """Return one of Photoshop's resources without a name."""
    return b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + bytes(len(content) % 2)


def add_metadata(
    data: bytes,
    *,
    exif: bytes | None,
    xmp: bytes | None,
    photoshop: bytes,
    comments: Sequence[bytes],
    dpi: tuple[float, float] | None,
) -> bytes:
    """Return a file that libvips wrote with further segments.

    * `data`: the file.
    * `exif`, `xmp`: blocks, None for none.
    * `photoshop`: resources, one after the other.
    * `comments`: those of people.
    * `dpi`: the resolution in pixels an inch, across and down, None if unknown.
    """
    place = 4 + int.from_bytes(data[4:6], "big") if data[2:4] == bytes([0xFF, APP0]) else 2
    density = (1, *(min(max(round(value), 1), 65535) for value in dpi)) if dpi else (0, 1, 1)
    start = bytes(data[:2]) + struct.pack(">BBH5sHBHHH", 0xFF, APP0, 16, b"JFIF\0", 0x0102, *density, 0)
    contents = [(APP1, b"Exif\0\0" + exif)] if exif else []
    contents += [(APP1, XMP + xmp)] if xmp else []
    step = LARGEST - len(PHOTOSHOP)
    contents += [(APP13, PHOTOSHOP + photoshop[at : at + step]) for at in range(0, len(photoshop), step)]
    contents += [(COM, comment) for comment in comments]
    made = [start]
    for marker, content in contents:
        if len(content) > LARGEST:
            what = "EXIF" if content.startswith(b"Exif") else "XMP" if content.startswith(XMP) else "comment"
            remark(f"the {what} of {ABOUT.get()} is too large for JPEG and was left out")
            continue
        made.append(struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content)
    return b"".join([*made, data[place:]])


def share(header: Header, data: bytes) -> float:
    """Return how much of its pixels a file can hold at most, from 0 to 1: 8x8 of them take a bit."""
    blocks = -(-header.width // 8) * -(-header.height // 8)
    return min(1.0, len(data) * 8 / max(blocks, 1))
