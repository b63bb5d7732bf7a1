"""Trials as a page: lines through parallel axes, one a trial, the best on top, and a table of all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from restoration_tune.space import Choice, Range, Space, short_names, shown
from restoration_tune.trials import DONE, Row

WIDTH, HEIGHT, TOP, BOTTOM = 160, 360, 40, 30
"""Pixels between two axes, of their height, and above and below them."""
STYLE = """
body{font:15px/1.4 system-ui,sans-serif;margin:2em auto;max-width:1100px;padding:0 1em;color:#222}
svg{width:100%;height:auto} path{fill:none;stroke-width:2;opacity:.75} path:hover{stroke-width:5;opacity:1}
table{border-collapse:collapse} td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}
.other{opacity:.25} @media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}td,th{border-color:#444}}
"""


def page(title: str, space: Space, rows: Sequence[Row]) -> str:
    """Return a page of HTML that needs nothing else: no script, no network."""
    names = short_names([*space])
    scored = sorted((row for row in rows if row.psnr is not None), key=lambda row: row.psnr or 0.0)
    head = "".join(f"<th>{escape(name)}</th>" for name in ("trial", *names, "PSNR, dB", "loss", "s", ""))
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells(space, row))}</tr>" for row in ranked(rows)
    )
    return (
        f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>"
        f"<h1>{escape(title)}</h1>{_drawing(space, names, scored)}<table><tr>{head}</tr>{body}</table>\n"
    )


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Return trials, the best first; those without a PSNR last."""
    return sorted(rows, key=lambda row: (row.state != DONE, -(row.psnr if row.psnr is not None else -math.inf)))


def cells(space: Space, row: Row) -> list[str]:
    """Return a trial as texts of a row: number, chosen values, PSNR, loss, seconds, and how it ended if not well."""
    values = [shown(row.chosen[name]) if name in row.chosen else "" for name in space]
    psnr = "" if row.psnr is None else f"{row.psnr:.2f}"
    loss = "" if row.loss is None or math.isnan(row.loss) else f"{row.loss:.5f}"
    return [
        str(row.number),
        *values,
        psnr,
        loss,
        f"{row.seconds:.0f}",
        row.error or ("" if row.state == DONE else row.state),
    ]


def _drawing(space: Space, names: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the axes and, from the worst to the best, the lines of the trials."""
    if not rows:
        return "<p>No trial has been validated yet.</p>"
    scores = [row.psnr or 0.0 for row in rows]
    low, high = min(scores), max(scores)
    axes = [*names, "PSNR, dB"]
    width = WIDTH * (len(axes) - 1) + 160
    parts = []
    for place, row in enumerate(rows):
        heights = [_height(dimension, row.chosen.get(name)) for name, dimension in space.items()]
        heights.append(_share(row.psnr or 0.0, low, high))
        points = " ".join(f"{80 + WIDTH * axis},{_y(share):.1f}" for axis, share in enumerate(heights))
        hue = 220 - 220 * _share(row.psnr or 0.0, low, high)
        kind = "" if row.state == DONE else ' class="other"'
        title = ", ".join(
            f"{name}={shown(row.chosen[full])}" for name, full in zip(names, space, strict=True) if full in row.chosen
        )
        parts.append(
            f'<path{kind} d="M{points.replace(" ", "L")}" stroke="hsl({hue:.0f} 80% 45%)">'
            f"<title>{place + 1} of {len(rows)}: {row.psnr:.2f} dB, {escape(title)}</title></path>"
        )
    for axis, name in enumerate(axes):
        x = 80 + WIDTH * axis
        parts.append(f'<line x1="{x}" x2="{x}" y1="{TOP}" y2="{TOP + HEIGHT}" stroke="currentColor"/>')
        parts.append(_text(x, TOP - 20, name, 'text-anchor="middle" font-weight="bold"'))
    ticks = [_ticks(dimension) for dimension in space.values()] + [[(0.0, f"{low:.2f}"), (1.0, f"{high:.2f}")]]
    for axis, marks in enumerate(ticks):
        parts += [_text(86 + WIDTH * axis, _y(share) - 4, text, 'font-size="12"') for share, text in marks]
    return f'<svg viewBox="0 0 {width} {TOP + HEIGHT + BOTTOM}" role="img">{"".join(parts)}</svg>'


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.1f}" {style} fill="currentColor">{escape(text)}</text>'


def _y(share: float) -> float:
    return TOP + HEIGHT * (1 - share)


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5


def _height(dimension: Choice | Range, value: object) -> float:
    """Return where a value lies on its axis, from 0 to 1."""
    if isinstance(dimension, Choice):
        return dimension.values.index(value) / (len(dimension.values) - 1) if value in dimension.values else 0.0
    if not isinstance(value, int | float):
        return 0.0
    if dimension.log:
        return _share(math.log(value), math.log(dimension.low), math.log(dimension.high))
    return _share(value, dimension.low, dimension.high)


def _ticks(dimension: Choice | Range) -> list[tuple[float, str]]:
    if isinstance(dimension, Choice):
        return [(_height(dimension, value), shown(value)) for value in dimension.values]
    return [(0.0, shown(dimension.low)), (1.0, shown(dimension.high))]
