"""The shapes of holes: polylines of round pens, letters and boxes."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Generator, Tensor

LETTERS = {
    "A": "062046 1434",
    "B": "0006 0030413303 3344453606",
    "C": "4130100105163645",
    "D": "0006 002042442606",
    "E": "40000646 0333",
    "F": "400006 0333",
    "G": "41301001051636454323",
    "H": "0006 4046 0343",
    "I": "2026 1030 1636",
    "J": "4045361605",
    "K": "0006 400346",
    "L": "000646",
    "M": "0600234046",
    "N": "06004640",
    "O": "103041453616050110",
    "P": "06003041423303",
    "Q": "103041453616050110 2446",
    "R": "06003041423303 2346",
    "S": "4130100112334445361605",
    "T": "0040 2026",
    "U": "000516364540",
    "V": "002640",
    "W": "0016233640",
    "X": "0046 4006",
    "Y": "002340 2326",
    "Z": "00400646",
    "2": "01103041420646",
    "3": "0040234445361605",
    "4": "36300444",
    "5": "400003334445361605",
    "7": "004016",
    "8": "10304133130110 133344453616050413",
}
"""Polylines on a grid of 5 by 7, each point a column and a row: no font file, and the same on every machine."""

Segment = tuple[float, float, float, float, float]
"""The two ends x0, y0, x1, y1 and the width of the pen, in pixels."""


def draw_segments(segments: list[Segment], height: int, width: int) -> Tensor:
    """Return where the pens of segments have been: `h w`, bool. A pixel is covered if its centre is."""
    covered = torch.zeros(height, width, dtype=torch.bool)
    for x0, y0, x1, y1, pen in segments:
        radius = pen / 2
        top, bottom = max(0, math.floor(min(y0, y1) - radius)), min(height, math.ceil(max(y0, y1) + radius) + 1)
        left, right = max(0, math.floor(min(x0, x1) - radius)), min(width, math.ceil(max(x0, x1) + radius) + 1)
        if top >= bottom or left >= right:
            continue
        across, down = torch.arange(left, right) - x0, torch.arange(top, bottom)[:, None] - y0
        dx, dy = x1 - x0, y1 - y0
        along = ((across * dx + down * dy) / max(dx * dx + dy * dy, 1e-9)).clamp(0, 1)
        near = (across - along * dx) ** 2 + (down - along * dy) ** 2 <= radius * radius
        covered[top:bottom, left:right] |= near
    return covered


def draw_strokes(height: int, width: int, pens: tuple[float, float], share: float, rng: Generator) -> list[Segment]:
    """Draw polylines of a few strokes each, until they would cover about `share` of the picture side by side."""
    segments: list[Segment] = []
    area = 0.0
    while area < share * height * width:
        draw = torch.rand(4, generator=rng).tolist()
        x, y = draw[0] * width, draw[1] * height
        pen, angle = pens[0] + (pens[1] - pens[0]) * draw[2], 2 * math.pi * draw[3]
        for turn, length, stop in torch.rand(8, 3, generator=rng).tolist():
            angle += (turn - 0.5) * 2.4
            reach = pen * (1 + 5 * length)
            end = (x + reach * math.cos(angle), y + reach * math.sin(angle))
            segments.append((x, y, *end, pen))
            area += reach * pen
            x, y = end
            if stop < 0.3:
                break
    return segments


def draw_text(height: int, width: int, share: float, rng: Generator) -> list[Segment]:
    """Draw lines of letters, each of its own size, slope and pen, until they cover about `share` of the picture."""
    segments: list[Segment] = []
    area, glyphs = 0.0, list(LETTERS.values())
    while area < share * height * width:
        draw = torch.rand(5, generator=rng).tolist()
        size, slope = 8 + 32 * draw[0] ** 2, 0.5 * (draw[1] - 0.5)
        pen = max(1.5, size * (0.06 + 0.12 * draw[2]))
        x, y = (draw[3] - 0.2) * width, draw[4] * height
        letters = torch.randint(len(glyphs), (int(3 + 12 * draw[1]),), generator=rng).tolist()
        for index, letter in enumerate(letters):
            for line in glyphs[letter].split():
                points = []
                for at in range(0, len(line), 2):
                    u, v = int(line[at]) / 6 * size + index * size, int(line[at + 1]) / 6 * size
                    points.append((x + u - slope * v, y + v + slope * u))
                for (x0, y0), (x1, y1) in pairwise(points):
                    segments.append((x0, y0, x1, y1, pen))
                    area += pen * math.hypot(x1 - x0, y1 - y0)
    return segments


def draw_boxes(height: int, width: int, share: float, rng: Generator) -> Tensor:
    """Draw one to four boxes that cover about `share` of the picture side by side: `h w`, bool."""
    covered = torch.zeros(height, width, dtype=torch.bool)
    number = int(torch.randint(1, 5, (), generator=rng))
    for x, y, aspect in torch.rand(number, 3, generator=rng).tolist():
        stretch = 2.5 ** (aspect - 0.5)
        side = math.sqrt(share / number)
        tall, wide = min(height, round(side * height * stretch)), min(width, round(side * width / stretch))
        top, left = round(y * (height - tall)), round(x * (width - wide))
        covered[top : top + tall, left : left + wide] = True
    return covered
