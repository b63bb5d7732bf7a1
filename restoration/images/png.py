"""PNG files by their chunks: texts, colours, resolution, and whether there is enough for a picture.

W3C, Portable Network Graphics, third edition. Pixels are left to libvips.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel, by the type of colour."""
COLOURS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"mDCv", b"cLLI", b"cLLi")
"""Chunks that say what the numbers of the pixels mean as colours."""
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
ELSEWHERE = (b"eXIf", b"pHYs")
"""Chunks that may be copied, but whose contents are kept in another form."""
RATIO = 1032
"""Deflate makes nothing smaller than by this factor."""
LONGEST = 1 << 20
"""Longer texts are not unpacked."""
MOST = 16 << 20
"""Nor are further ones, once all together are so long."""
RAW = "Raw profile type "
"""How the keywords begin under which ImageMagick and others keep whole blocks as text."""
PER_INCH = 0.0254


def chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Give the kinds and contents of the chunks of a file that are whole; what can be missed must be right, too."""
    view, place = memoryview(data), 8
    while place + 12 <= len(data):
        size = int.from_bytes(view[place : place + 4], "big")
        end = place + 12 + size
        if end > len(data):
            return
        kind, content = bytes(view[place + 4 : place + 8]), view[place + 8 : end - 4]
        if not kind[0] & 32 or zlib.crc32(view[place + 4 : end - 4]) == int.from_bytes(view[end - 4 : end], "big"):
            yield kind, content
        place = end


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def share(data: bytes) -> float:
    """Return how much of its pixels a file can hold at most, from 0 to 1, for the size that it says."""
    needed, packed = 1, 0
    view, place = memoryview(data), 8
    while place + 8 <= len(data):
        size = int.from_bytes(view[place : place + 4], "big")
        kind = bytes(view[place + 4 : place + 8])
        if kind == b"IHDR" and place + 21 <= len(data):
            width, height, depth, colour = struct.unpack(">IIBB", view[place + 8 : place + 18])
            needed = height * (1 + width * CHANNELS.get(colour, 1) * depth // 8)
        elif kind == b"IDAT":
            packed += min(size, max(len(data) - place - 8, 0))
        place += 12 + size
    return min(1.0, packed * RATIO / max(needed, 1))


def mend(data: bytes) -> bytes:
    """Return a file of whole chunks, of which the last one of pixels may be cut off where the file was."""
    made, view, place = [SIGNATURE], memoryview(data), 8
    while place + 8 <= len(data):
        size, kind = int.from_bytes(view[place : place + 4], "big"), bytes(view[place + 4 : place + 8])
        content = bytes(view[place + 8 : place + 8 + size])
        if len(content) == size or kind == b"IDAT":
            made.append(chunk(kind, content))
        place += 12 + size
    return b"".join([*made, chunk(b"IEND", b"")])


def keep_chunks(found: Iterable[tuple[bytes, memoryview]]) -> tuple[bytes, bytes]:
    """Return the chunks that stay with a picture whose pixels change, as they are: what it tells, and its colours.

    What may be copied by who does not understand it has a small fourth letter; blocks kept as text are not among it.
    """
    told, colours = [], []
    for kind, content in found:
        if kind in COLOURS:
            colours.append(chunk(kind, bytes(content)))
        elif kind[0] & 32 and kind[3] & 32 and kind not in ELSEWHERE and not _is_block(kind, content):
            told.append(chunk(kind, bytes(content)))
    return b"".join(told), b"".join(colours)


def _is_block(kind: bytes, content: memoryview) -> bool:
    keyword = bytes(content[:80]).split(b"\0")[0]
    return kind in TEXTS and (keyword == b"XML:com.adobe.xmp" or keyword.startswith(RAW.encode()))


def texts(found: Iterable[tuple[bytes, memoryview]], prefix: str = "") -> dict[str, str]:
    """Return the texts of chunks by those keywords that begin so; what is too long, or broken, is left out."""
    read: dict[str, str] = {}
    for kind, content in found:
        if kind in TEXTS and bytes(content[: len(prefix)]) == prefix.encode() and sum(map(len, read.values())) < MOST:
            with suppress(ValueError, zlib.error):
                keyword, words = _text(kind, bytes(content))
                read.setdefault(keyword, words)
    return read


def _text(kind: bytes, content: bytes) -> tuple[str, str]:
    """Take a chunk of text apart. Raises `ValueError`, `zlib.error` or `UnicodeDecodeError`."""
    keyword, _, rest = content.partition(b"\0")
    packed, coding = kind == b"zTXt", "latin-1"
    if packed:
        rest = rest[1:]
    elif kind == b"iTXt":
        packed, coding = rest[:1] == b"\1", "utf-8"
        rest = rest[2:].split(b"\0", 2)[2] if rest.count(b"\0", 2) >= 2 else b""
    if packed:
        unpacking = zlib.decompressobj()
        rest = unpacking.decompress(rest, LONGEST)
        if unpacking.unconsumed_tail:
            raise ValueError("too long")
    if len(rest) > LONGEST:
        raise ValueError("too long")
    return keyword.decode("latin-1"), rest.decode(coding)


def blocks(found: Iterable[tuple[bytes, memoryview]]) -> dict[str, bytes]:
    """Return the blocks kept as text, by the names they have there: hexadecimal numbers under a name and a length."""
    kept = {}
    for keyword, words in texts(found, RAW).items():
        lines = words.strip().split("\n", 2)
        with suppress(ValueError, IndexError):
            kept[keyword.removeprefix(RAW)] = bytes.fromhex("".join(lines[2].split()))
    return kept


def as_text(name: str, block: bytes) -> bytes:
    """Return a chunk that keeps a block as text, as ImageMagick has it."""
    digits = block.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    words = f"\n{name}\n{len(block):8}\n{lines}\n".encode()
    return chunk(b"zTXt", (RAW + name).encode() + b"\0\0" + zlib.compress(words))


def comment(words: bytes) -> bytes:
    """Return a chunk of a text without a keyword of its own, in UTF-8 if it is that."""
    words = words.rstrip(b"\0").replace(b"\0", b" ")
    try:
        words.decode()
    except UnicodeDecodeError:
        return chunk(b"tEXt", b"Comment\0" + words)
    return chunk(b"iTXt", b"Comment\0\0\0\0\0" + words)


def resolution(found: Iterable[tuple[bytes, memoryview]]) -> tuple[float, float] | None:
    """Return pixels an inch, across and down, if a chunk says so; whole ones, but for rounding to metres, are whole."""
    for kind, content in found:
        if kind == b"pHYs" and len(content) == 9 and content[8] == 1:
            x, y = (value * PER_INCH for value in struct.unpack(">II", content[:8]))
            if x and y:
                return _whole(x), _whole(y)
    return None


def _whole(dpi: float) -> float:
    return float(round(dpi)) if abs(dpi - round(dpi)) < PER_INCH else dpi


def add_metadata(data: bytes, early: Iterable[bytes], late: Iterable[bytes], dpi: tuple[float, float] | None) -> bytes:
    """Return a file of libvips with chunks before its pixels, those of colours `early`, and with its resolution."""
    before, place = [], 8
    for kind, content in chunks(data):
        if kind == b"IDAT":
            break
        if kind not in (b"pHYs", b"eXIf", *COLOURS):
            before.append(chunk(kind, bytes(content)))
        place += 12 + len(content)
    before[1:1] = [one for one in early if one]
    if dpi is not None:
        metres = (min(round(value / PER_INCH), 2**31 - 1) for value in dpi)
        before.append(chunk(b"pHYs", struct.pack(">IIB", *metres, 1)))
    return b"".join([SIGNATURE, *before, *(one for one in late if one), data[place:]])
