"""Colours of a file in other words: what PNG and AVIF say in numbers, as an ICC profile that every format carries.

ICC.1:2010; the numbers are those of ITU-T H.273 (cICP) and of PNG's gAMA and cHRM.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

Matrix = list[list[float]]
WHITE = (0.3127, 0.3290)
"""D65."""
PRIMARIES = {
    1: (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *WHITE),
    5: (0.640, 0.330, 0.290, 0.600, 0.150, 0.060, *WHITE),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *WHITE),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *WHITE),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *WHITE),
}
"""Red, green, blue and white, x and y of each, by the numbers of H.273."""
SRGB, BT709 = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045), (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
CURVES = {1: BT709, 4: (2.2,), 5: (2.8,), 6: BT709, 8: (1.0,), 13: SRGB, 14: BT709, 15: BT709}
"""What makes the values linear: a power, or a power with a straight foot (ICC's parametric curve 3)."""
HDR = {16: "PQ", 18: "HLG"}
D50 = (0.9642, 1.0, 0.8249)
BRADFORD = [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]


@dataclass(frozen=True)
class Colours:
    """Chromaticities and a curve; `hdr` names one that stands for more light than a screen's white."""

    primaries: tuple[float, ...] = PRIMARIES[1]
    curve: tuple[float, ...] = SRGB
    hdr: str = ""

    def is_srgb(self) -> bool:
        """Say whether these are those of sRGB, as far as anyone sees."""
        same = all(abs(a - b) < 0.002 for a, b in zip(self.primaries, PRIMARIES[1], strict=True))
        return same and not self.hdr and (len(self.curve) > 1 or abs(self.curve[0] - 2.2) < 0.02)

    def profile(self, channels: int) -> bytes:
        """Return an ICC profile for pictures of 1 or 3 channels."""
        white = _xyz(*self.primaries[6:])
        adapted = _adaptation(white)
        tags = {b"desc": _words("colours of the file"), b"cprt": _words("no copyright"), b"wtpt": _triple(D50)}
        tags[b"chad"] = b"sf32\0\0\0\0" + b"".join(_fixed(value) for row in adapted for value in row)
        if channels == 1:
            tags[b"kTRC"] = self._curve()
        else:
            columns = _product(adapted, _matrix(self.primaries, white))
            for place, letter in enumerate((b"r", b"g", b"b")):
                tags[letter + b"XYZ"] = _triple(tuple(row[place] for row in columns))
                tags[letter + b"TRC"] = self._curve()
        return _written(tags, b"GRAY" if channels == 1 else b"RGB ")

    def _curve(self) -> bytes:
        kind = 0 if len(self.curve) == 1 else 3
        return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, self.curve))


def is_whole(profile: bytes) -> bool:
    """Say whether bytes are an ICC profile: with its mark, and with all tags that its table names."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return False
    count = int.from_bytes(profile[128:132], "big")
    if not 0 < count <= (len(profile) - 132) // 12:
        return False
    places = (struct.unpack(">II", profile[at : at + 8]) for at in range(136, 136 + 12 * count, 12))
    return all(place + size <= len(profile) for place, size in places)


def of_code(code: bytes) -> Colours | None:
    """Return the colours of a cICP: primaries and transfer, as H.273 numbers them; None if they are not known."""
    primaries, transfer = code[0], code[1]
    if transfer in HDR:
        return Colours(PRIMARIES.get(primaries, PRIMARIES[9]), SRGB, HDR[transfer])
    if primaries in (2, 1) and transfer in (1, 2, 6, 13, 14, 15):
        return Colours()  # unknown is sRGB, and so is what cameras mean by BT.709
    if primaries not in PRIMARIES or transfer not in CURVES:
        return None
    return Colours(PRIMARIES[primaries], CURVES[transfer])


def of_gamma(gamma: bytes | None, chromaticities: bytes | None) -> Colours:
    """Return the colours of PNG's gAMA and cHRM; what is not said is that of sRGB."""
    primaries: tuple[float, ...] = PRIMARIES[1]
    curve: tuple[float, ...] = SRGB
    if chromaticities is not None and len(chromaticities) == 32:
        values = tuple(value / 100_000 for value in struct.unpack(">8I", chromaticities))
        if all(0 < value < 1 for value in values[1::2]):
            primaries = (*values[2:], *values[:2])
    if gamma is not None and len(gamma) == 4:
        value = int.from_bytes(gamma, "big") / 100_000
        curve = SRGB if not 0.05 < value < 20 or abs(value - 0.45455) < 0.005 else (1 / value,)
    return Colours(primaries, curve)


def _written(tags: dict[bytes, bytes], space: bytes) -> bytes:
    """Put a profile together; tags with the same contents share them."""
    places: dict[bytes, int] = {}
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        if content not in places:
            places[content] = start + len(body)
            body += content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", places[content], len(content))
    size = start + len(body)
    head = struct.pack(">I4xI4s4s4s12x", size, 0x04300000, b"mntr", space, b"XYZ ") + b"acsp"
    head += bytes(28) + b"".join(map(_fixed, D50)) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _triple(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))


def _words(text: str) -> bytes:
    coded = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(coded), 28) + coded


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    return x / y, 1.0, (1 - x - y) / y


def _matrix(primaries: tuple[float, ...], white: tuple[float, ...]) -> Matrix:
    """Return what takes linear values to XYZ, so that all at 1 are the white."""
    columns = [_xyz(*primaries[place : place + 2]) for place in (0, 2, 4)]
    matrix = [list(row) for row in zip(*columns, strict=True)]
    scales = [sum(a * b for a, b in zip(row, white, strict=True)) for row in _inverse(matrix)]
    return [[value * scale for value, scale in zip(row, scales, strict=True)] for row in matrix]


def _adaptation(white: tuple[float, ...]) -> Matrix:
    """Return Bradford's adaptation of a white to D50."""
    before, after = ([sum(a * b for a, b in zip(row, one, strict=True)) for row in BRADFORD] for one in (white, D50))
    scaled = [[value * after[row] / before[row] for value in BRADFORD[row]] for row in range(3)]
    return _product(_inverse(BRADFORD), scaled)


def _product(a: Matrix, b: Matrix) -> Matrix:
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in zip(*b, strict=True)] for row in a]


def _inverse(m: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = m
    minors = [[e * i - f * h, c * h - b * i, b * f - c * e], [f * g - d * i, a * i - c * g, c * d - a * f]]
    minors.append([d * h - e * g, b * g - a * h, a * e - b * d])
    determinant = a * minors[0][0] + b * minors[1][0] + c * minors[2][0]
    return [[value / determinant for value in row] for row in minors]
