"""Lines in a plot, as SVG text: series with names, axes with ticks, a legend."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Points = Sequence[tuple[float, float]]
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Colours that can also be told apart with colour vision deficiencies (Okabe and Ito, 2008)."""
LEFT, RIGHT, TOP, BOTTOM = 64, 28, 34, 46
"""Pixels around the axes, for what is written there."""
LETTER = 7
"""The widest letter of the legend, in pixels."""
FEW = 60
"""Series of at most this many points have a dot at each of them."""


def line_plot(
    series: Mapping[str, Points],
    *,
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    log_x: bool = False,
    log_y: bool = False,
    span: Sequence[float] = (),
    width: int = 640,
    height: int = 320,
    place: int = 0,
) -> str:
    """Return an SVG of named series of points (x, y). Several series have a legend.

    Points that are not finite, or not positive on a logarithmic axis, leave a gap.

    * `series`: the points of each series, by its name.
    * `title`, `x_label`, `y_label`: the texts.
    * `log_x`, `log_y`: whether an axis is logarithmic.
    * `span`: values that the x axis also includes.
    * `width`, `height`: the size in pixels.
    * `place`: the distance from the top of its page in pixels.
    """
    drawn = {
        name: [(x, y) if _fits(x, log_x) and _fits(y, log_y) else None for x, y in points]
        for name, points in series.items()
    }
    points = [point for line in drawn.values() for point in line if point]
    xs, ys = [*span, *(x for x, _ in points)] or [0.1 if log_x else 0.0, 1.0], [y for _, y in points] or [0.1, 1.0]
    entry = LETTER * max(map(len, drawn), default=0) + 40
    columns = max(1, (width - RIGHT - LEFT) // entry)
    axes = _Axes(
        x_ticks=log_ticks(min(xs), max(xs)) if log_x else ticks(min(xs), max(xs), 6),
        y_ticks=log_ticks(min(ys), max(ys)) if log_y else ticks(min(ys), max(ys), 5),
        log_x=log_x,
        log_y=log_y,
        right=width - RIGHT,
        top=TOP + (18 * math.ceil(len(drawn) / columns) if len(drawn) > 1 else 0),
        bottom=height - BOTTOM,
    )
    parts = [f'<rect width="{width}" height="{height}" fill="#fff"/>', _text(LEFT, 20, title, 'font-weight="bold"')]
    parts += axes.draw(x_label, y_label, height)
    for number, (name, line) in enumerate(drawn.items()):
        colour = COLOURS[number % len(COLOURS)]
        parts += axes.line(line, colour)
        if len(drawn) > 1:
            at, down = LEFT + entry * (number % columns), 36 + 18 * (number // columns)
            parts.append(f'<path d="M{at} {down}h18" stroke="{colour}" stroke-width="3"/>')
            parts.append(_text(at + 24, down + 4, name))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" y="{place}" width="{width}" height="{height}" '
    return head + 'font-family="system-ui, sans-serif" font-size="12" fill="#222">' + "\n".join(parts) + "</svg>\n"


@dataclass(frozen=True, kw_only=True)
class _Axes:
    """The axes of a plot: their ticks, and the pixels at which they end; the x axis begins at `LEFT`."""

    x_ticks: list[float]
    y_ticks: list[float]
    log_x: bool
    log_y: bool
    right: int
    top: int
    bottom: int

    def across(self, x: float) -> float:
        """Return the pixels from the left of a value of x."""
        return LEFT + _share(x, self.x_ticks, self.log_x) * (self.right - LEFT)

    def up(self, y: float) -> float:
        """Return the pixels from the top of a value of y."""
        return self.bottom - _share(y, self.y_ticks, self.log_y) * (self.bottom - self.top)

    def draw(self, x_label: str, y_label: str, height: int) -> list[str]:
        """Return the grid, the ticks, the axes and their labels."""
        left, right, top, bottom = LEFT, self.right, self.top, self.bottom
        parts = []
        for tick in self.y_ticks:
            parts.append(f'<path d="M{left} {self.up(tick):.1f}H{right}" stroke="#ddd"/>')
            parts.append(_text(left - 8, self.up(tick) + 4, f"{tick:.6g}", 'text-anchor="end"'))
        for tick in self.x_ticks:
            parts.append(f'<path d="M{self.across(tick):.1f} {bottom}v5" stroke="#444"/>')
            parts.append(_text(self.across(tick), bottom + 18, f"{tick:.10g}", 'text-anchor="middle"'))
        parts.append(f'<path d="M{left} {top}V{bottom}H{right}" stroke="#444" fill="none"/>')
        parts.append(_text((left + right) / 2, height - 8, x_label, 'text-anchor="middle"'))
        turned = f'text-anchor="middle" transform="rotate(-90 14 {(top + bottom) / 2})"'
        return [*parts, _text(14, (top + bottom) / 2, y_label, turned)]

    def line(self, points: Sequence[tuple[float, float] | None], colour: str) -> list[str]:
        """Return a line through points, with a gap at None, and a dot at each if they are few."""
        pixels = [point and (self.across(point[0]), self.up(point[1])) for point in points]
        parts = [
            f'<path d="{_path(pixels)}" stroke="{colour}" stroke-width="1.8" stroke-linejoin="round" fill="none"/>'
        ]
        if len(points) <= FEW:
            dots = filter(None, pixels)
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in dots]
        return parts


def stack(plots: Sequence[str], *, width: int = 640, height: int = 640) -> str:
    """Return one SVG of several, each drawn at its `place`."""
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{"".join(plots)}</svg>\n'


def ticks(low: float, high: float, number: int) -> list[float]:
    """Return about `number` round values, evenly spaced, that enclose what lies between `low` and `high`."""
    if high <= low:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    rough = (high - low) / number
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    return [place * step for place in range(math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten, or more than one apart only powers, that enclose `low` and `high`."""
    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    factors = (1, 2, 5) if high / low < 200 else (1,)
    values = [factor * 10.0**exponent for exponent in exponents for factor in factors]
    below = [value for value in values if value <= low * 1.0001][-1]
    above = next(value for value in values if value >= high * 0.9999 and value > below)
    return [value for value in values if below <= value <= above]


def _fits(value: float, log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not log)


def _share(value: float, axis: Sequence[float], log: bool) -> float:
    """Return how far along an axis of ticks a value lies, from 0 to 1."""
    low, high, place = (math.log(v) if log else v for v in (axis[0], axis[-1], value))
    return (place - low) / (high - low)


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """Join points by lines; after a gap the pen goes down anew."""
    pens = ["L" if before else "M" for before in [None, *points]]
    return "".join(f"{pen}{point[0]:.1f} {point[1]:.1f}" for pen, point in zip(pens, points, strict=False) if point)


def _text(x: float, y: float, words: str, how: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {how}>{html.escape(words)}</text>' if words else ""
