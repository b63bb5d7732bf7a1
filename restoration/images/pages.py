"""Which pages of a TIFF file are pictures, and whether all that they are made of is there.

libtiff takes zeros for what lies beyond the end of a file, and makes room for what a directory promises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from struct import calcsize

from restoration.images.bounds import fault
from restoration.images.tiff import LETTERS, Directory, Entry, Structure

RATIOS = {1: 1, 5: 2731, 8: 1032, 32946: 1032, 32773: 64}
"""How much smaller TIFF's compressions make anything at most: none, LZW, Deflate by two numbers, PackBits."""
JPEG = 7
ESSENTIAL = (258, 273, 279, 320, 324, 325, 347, 34675)
"""Tags without whose values a picture is another: depth, places and sizes, the palette, JPEG's tables, the profile."""
STRANGE = {4: "a mask", 10: "ITU Lab", 32803: "raw data of a camera", 34892: "raw data of a camera"}
"""What the numbers of a page may stand for that are no picture, or none that is understood, by tag 262."""
WHITE_IS_0, RGB, YCBCR, LAB, ICC_LAB = 0, 2, 6, 8, 9
SHORT = 3
"""The kind of numbers of two bytes."""
TURNED = 274
"""The tag that says how a page is to be turned, by numbers from 1 to 8."""
MANY = 1 << 22
"""A picture of more strips or tiles is none."""


@dataclass
class Page:
    """A page that is a picture: its number in the file, its tags, and those of them that say how it is stored."""

    number: int
    tags: Directory
    order: str

    def numbers(self, tag: int, usual: int = 0) -> tuple[int, ...]:
        """Return the whole numbers of a tag, or its default."""
        entry = self.tags.entries.get(tag)
        found = entry.numbers(self.order) if entry is not None and entry.count <= MANY else ()
        return tuple(int(value) for value in found) or (usual,)

    def first(self, tag: int, usual: int = 0) -> int:
        """Return the first number of a tag, or its default."""
        return self.numbers(tag, usual)[0]

    @property
    def has_mere_data(self) -> bool:
        """Whether the last channel is neither transparency nor a colour: a mask of Photoshop, say."""
        return 338 in self.tags.entries and self.numbers(338) == (0,)

    def is_small_copy(self) -> bool:
        """Say whether it is a thumbnail, a smaller copy of another, or a mask."""
        return bool(self.first(254) & 5) or self.first(255) == 2


def pages_of(structure: Structure) -> list[Page]:
    """Return the pages that are pictures, without smaller copies of them. Raises `ValueError`."""
    found = [Page(number, tags, structure.order) for number, tags in enumerate(structure.pages())]
    whole = [page for page in found if not page.is_small_copy()]
    return whole or found[: len(found) == 1]


def strange(structure: Structure, pages: list[Page]) -> str:
    """Return what a file holds that is no picture, or nothing."""
    raw = structure.data[8:10] == b"CR" or any(50706 in page.tags.entries for page in pages)
    if raw or not pages:
        return STRANGE[32803]
    return next((what for page in pages if (what := _strange(page))), "")


def _strange(page: Page) -> str:
    meaning, bits = page.first(262), page.first(258, 1)
    if meaning == WHITE_IS_0 and (bits > 16 or page.first(339, 1) == 3):
        return "numbers of which 0 is white, not of 8 or 16 bits"
    if meaning == YCBCR and page.first(259, 1) not in (6, JPEG) and page.numbers(530, 2) == (1, 1):
        return "YCbCr that is not JPEG"
    if meaning == ICC_LAB and (bits, page.first(277, 1)) != (8, 3):
        return "ICC Lab, not of 8 bits"
    return STRANGE.get(meaning, "")


def mend_orientations(data: bytes, pages: list[Page]) -> bytes:
    """Return a file in which pages with an orientation that does not exist are upright: libtiff refuses such pages."""
    for page in pages:
        entry = page.tags.entries.get(TURNED)
        if entry is not None and entry.kind == SHORT and page.first(TURNED) not in range(1, 9):
            data = _with_number(data, page, TURNED, 1)
    return data


def small_lab(page: Page) -> bool:
    """Say whether a page is Lab of 8 bits, which libvips does not read as such."""
    return page.first(262) in (LAB, ICC_LAB) and (page.first(258, 1), page.first(277, 1)) == (8, 3)


def as_rgb(data: bytes, page: Page) -> bytes:
    """Return a file whose page is said to be RGB, whatever its three channels mean."""
    return _with_number(data, page, 262, RGB)


def _with_number(data: bytes, page: Page, tag: int, number: int) -> bytes:
    """Return a file where a tag of a page, a number of two bytes, is another."""
    place = page.tags.entries[tag].place
    return data[:place] + number.to_bytes(2, "little" if page.order == "<" else "big") + data[place + 2 :]


def share(page: Page, data: bytes) -> tuple[float, str]:
    """Return how much of its pixels a page can hold at most, from 0 to 1, and what is wrong, or nothing."""
    width, height, planes = page.first(256), page.first(257), page.first(277, 1) if page.first(284, 1) == 2 else 1
    channels = page.first(277, 1) // planes
    down = min(page.first(278, height) or height, height)
    pieces, across = planes * -(-height // max(down, 1)), width
    tiled = 324 in page.tags.entries
    if tiled:
        across, down = max(page.first(322), 1), max(page.first(323), 1)
        pieces = planes * -(-width // across) * -(-height // down)
    starts, sizes = page.numbers(324 if tiled else 273), page.numbers(325 if tiled else 279)
    told = (page.tags.entries[tag] for tag in ESSENTIAL if tag in page.tags.entries)
    if pieces > MANY or len(starts) < pieces or not all(map(_is_whole, told)):
        return 0.5, "its directory is not whole"
    packing, row = page.first(259, 1), _bytes(width, channels, page)
    if packing == 1 and not any(sizes):  # as old programs leave it, for whoever can count
        each = pieces // planes
        rows = [down if tiled or (n + 1) % each else height - (each - 1) * down for n in range(pieces)]
        sizes = tuple(_bytes(across, channels, page) * one for one in rows)
    there = [max(0, min(size, len(data) - start)) for start, size in zip(starts, sizes, strict=False)][:pieces]
    ratio = RATIOS.get(packing, 1 << 16)
    needed = max(row * height * planes, 1)
    most = 1.0 if page.first(262) == YCBCR else min(1.0, sum(there) * ratio / needed)
    if sum(there) < sum(sizes[:pieces]):
        return min(most, sum(there) / sum(sizes)), "its pixels lie beyond its end"
    if packing == JPEG and not all(_ends(data, a + b) for a, b in zip(starts, there, strict=False)):
        return most, "its JPEG has no end"
    return most, fault(most)


def _bytes(width: int, channels: int, page: Page) -> int:
    return math.ceil(width * channels * max(page.numbers(258, 1)) / 8)


def _is_whole(entry: Entry) -> bool:
    return len(entry.data) == entry.count * calcsize("=" + LETTERS.get(entry.kind, "B"))


def _ends(data: bytes, stop: int) -> bool:
    return data[max(stop - 16, 0) : stop].rstrip(b"\0").endswith(b"\xff\xd9")
