"""Files of pictures made by hand, byte by byte, and their parts read again: for tests of what reads and writes them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence

import pyvips
import torch

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}
LETTERS = {1: "B", 3: "H", 4: "I"}
Value = "int | float | bytes | str | Sequence[int]"


def scene(height: int = 24, width: int = 36) -> torch.Tensor:
    """A picture of slopes and a disc, `h w 3` of 8 bits: each channel another."""
    y, x = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    rows = torch.stack([60 + 150 * y, 200 - 120 * x, 40 + 80 * x + 90 * y], dim=-1)
    rows[(x - 0.7) ** 2 + (y - 0.3) ** 2 < 0.03] = torch.tensor([250.0, 235.0, 120.0])
    return rows.round().to(torch.uint8)


def vips(rows: torch.Tensor, interpretation: str | None = None) -> pyvips.Image:
    """An image of libvips of rows, `h w c` or `h w`."""
    rows = rows[..., None] if rows.ndim == 2 else rows
    height, width, channels = rows.shape
    kinds = {torch.uint8: "uchar", torch.uint16: "ushort", torch.float32: "float", torch.int16: "short"}
    kinds |= {torch.int32: "int", torch.uint32: "uint", torch.int8: "char"}
    image = pyvips.Image.new_from_memory(
        rows.contiguous().numpy().tobytes(), width, height, channels, kinds[rows.dtype]
    )
    usual = {1: "b-w", 2: "b-w"}.get(channels, "srgb") if rows.dtype == torch.uint8 else "multiband"
    return image.copy(interpretation=interpretation or usual)


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(rows: torch.Tensor, *early: bytes, late: bytes = b"") -> bytes:
    """A PNG of rows of 8 bits, `h w c`, with chunks before its pixels, and `late` ones before its end."""
    height, width, channels = rows.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", packed(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(early) + pixels + late + chunk(b"IEND", b"")


def packed(rows: torch.Tensor) -> bytes:
    """The pixels of a PNG, without filters, deflated."""
    return zlib.compress(b"".join(b"\0" + row.numpy().tobytes() for row in rows))


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG; their sums must be right."""
    place = 8
    while place < len(data):
        size = struct.unpack(">I", data[place : place + 4])[0]
        kind, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        assert struct.unpack(">I", data[place + 8 + size : place + 12 + size])[0] == zlib.crc32(kind + content), kind
        yield kind, content
        place += 12 + size


def control(number: int, width: int, height: int, x: int, y: int, delay: int, dispose: int, blend: int) -> bytes:
    """The chunk before a frame of an animated PNG; the delay is in milliseconds."""
    return chunk(b"fcTL", struct.pack(">5IHHBB", number, width, height, x, y, delay, 1000, dispose, blend))


def directory(tags: Mapping[int, tuple[int, Value]], place: int, order: str = "<", following: int = 0) -> bytes:
    """A directory of TIFF at a place: of each tag the type, and the values as numbers, bytes, text or a fraction."""
    rows, values, end = b"", b"", place + 2 + 12 * len(tags) + 4
    for tag, (kind, value) in sorted(tags.items()):
        data = coded(kind, value, order)
        rows += struct.pack(order + "HHI", tag, kind, len(data) // SIZES[kind])
        if len(data) > 4:
            rows += struct.pack(order + "I", end + len(values))
            values += data + bytes(len(data) % 2)
        else:
            rows += data.ljust(4, b"\0")
    return struct.pack(order + "H", len(tags)) + rows + struct.pack(order + "I", following) + values


def coded(kind: int, value: Value, order: str) -> bytes:
    """The bytes of a tag's value."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode() + b"\0"
    if isinstance(value, float):
        return struct.pack(order + "II", round(value * 100), 100)
    numbers = [value] if isinstance(value, int) else list(value)
    return struct.pack(f"{order}{len(numbers)}{LETTERS[kind]}", *numbers)


def tiff(
    rows: torch.Tensor,
    tags: Mapping[int, tuple[int, Value]] | None = None,
    *,
    order: str = "<",
    strips: Sequence[bytes] | None = None,
) -> bytes:
    """A TIFF file of rows, `h w c`, its tags first, uncompressed if `strips` do not say otherwise; `tags` are more."""
    height, width, channels = rows.shape
    data = [swapped(rows, order)] if strips is None else list(strips)
    bits = 8 * rows.element_size()
    kind = 3 if rows.is_floating_point() else 1 if rows.dtype in (torch.uint8, torch.uint16, torch.uint32) else 2
    found: dict[int, tuple[int, Value]] = {
        256: (4, width),
        257: (4, height),
        258: (3, [bits] * channels),
        259: (3, 1),
        262: (3, 2 if channels >= 3 else 1),
        273: (4, [0] * len(data)),
        277: (3, channels),
        278: (4, -(-height // len(data))),
        279: (4, [len(strip) for strip in data]),
        284: (3, 1),
        339: (3, [kind] * channels),
        **({338: (3, 2)} if channels in (2, 4) else {}),
        **(tags or {}),
    }
    start = 8 + len(directory(found, 8, order))
    found[273] = (4, [start + sum(map(len, data[:n])) for n in range(len(data))])
    return (
        (b"II*\0" if order == "<" else b"MM\0*")
        + struct.pack(order + "I", 8)
        + directory(found, 8, order)
        + b"".join(data)
    )


def swapped(rows: torch.Tensor, order: str) -> bytes:
    """The bytes of rows, in an order."""
    array = rows.contiguous().numpy()
    return bytes(array.astype(array.dtype.newbyteorder(order)).tobytes())


def tags_of(data: bytes, place: int | None = None) -> dict[int, bytes]:
    """The tags of a TIFF file or an EXIF block, with the bytes of their values, of the first directory or another."""
    order = "<" if data[:2] == b"II" else ">"
    at = struct.unpack_from(order + "I", data, 4)[0] if place is None else place
    found = {}
    for number in range(struct.unpack_from(order + "H", data, at)[0]):
        row = at + 2 + 12 * number
        tag, kind, count = struct.unpack_from(order + "HHI", data, row)
        size = count * SIZES.get(kind, 1)
        start = row + 8 if size <= 4 else struct.unpack_from(order + "I", data, row + 8)[0]
        found[tag] = data[start : start + size]
    return found


def number(data: bytes, order: str = "<") -> int:
    """A whole number of the bytes of a tag."""
    return int.from_bytes(data, "little" if order == "<" else "big")


def exif(order: str = "<", orientation: int = 6, thumbnail: bytes = b"") -> bytes:
    """An EXIF block as of a camera: maker, artist, time, a maker's note, place, and a thumbnail if there is one."""
    first = {
        271: (2, "A Maker"),
        274: (3, orientation),
        282: (5, 300.0),
        283: (5, 300.0),
        296: (3, 2),
        315: (2, "An Artist"),
        33432: (2, "(c) me"),
        34665: (4, 0),
        34853: (4, 0),
    }
    inner = {36867: (2, "2020:01:02 03:04:05"), 37500: (7, NOTE), 40962: (4, 36), 40963: (4, 24)}
    at_inner = 8 + len(directory(first, 8, order))
    at_gps = at_inner + len(directory(inner, at_inner, order))
    gps = directory({1: (2, "N")}, at_gps, order)
    at_second = at_gps + len(gps)
    first |= {34665: (4, at_inner), 34853: (4, at_gps)}
    block = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    block += directory(first, 8, order, at_second if thumbnail else 0) + directory(inner, at_inner, order) + gps
    if thumbnail:
        second = {513: (4, 0), 514: (4, len(thumbnail))}
        second[513] = (4, at_second + len(directory(second, at_second, order)))
        block += directory(second, at_second, order) + thumbnail
    return block


NOTE = b"NOTE OF A MAKER" + bytes(range(40))


def segments(data: bytes) -> list[tuple[int, bytes]]:
    """The segments of a JPEG before its first scan."""
    found, place = [], 2
    while data[place + 1] != 0xDA:
        size = struct.unpack(">H", data[place + 2 : place + 4])[0]
        found.append((data[place + 1], data[place + 4 : place + 2 + size]))
        place += 2 + size
    return found


def segment(marker: int, content: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg(rows: torch.Tensor, *more: bytes, **how: object) -> bytes:
    """A JPEG of rows, `h w c`, with further segments at its beginning; `how` is for libvips."""
    data = vips(rows).jpegsave_buffer(keep="none", **how)
    return bytes(data[:2] + b"".join(more) + data[2:])
