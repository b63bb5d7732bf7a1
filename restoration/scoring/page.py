"""One HTML file, complete in itself: before and after under a slider, or tables of scores."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.images import encode, write_bytes

if TYPE_CHECKING:
    from restoration.picture import Picture

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Before and after</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
  figure { margin: 0 0 3rem; }
  .pair { position: relative; display: block; overflow: hidden; border-radius: .4rem; line-height: 0; }
  .pair img { width: 100%; height: auto; image-rendering: auto; }
  .pair .before { position: absolute; inset: 0; clip-path: inset(0 calc(100% - var(--at, 50%)) 0 0); }
  .pair .line { position: absolute; inset: 0 auto 0 var(--at, 50%); width: 2px; background: #fff; mix-blend-mode:
  difference; }
  .pair input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize; }
  .pair:focus-within { outline: 3px solid Highlight; }
  figcaption { margin-top: .5rem; }
  dl { display: flex; flex-wrap: wrap; gap: .2rem 1.5rem; margin: .3rem 0; font-size: .85rem; opacity: .8; }
  dl div { display: flex; gap: .4rem; } dt::after { content: ":"; } dd { margin: 0; }
</style>
</head>
<body>
<h1>Before and after</h1>
<p>Drag over a picture, or use the arrow keys: the degraded one is on the left, the restored one on the right.</p>
FIGURES
<script>
  for (const range of document.querySelectorAll(".pair input"))
    range.addEventListener("input", () => range.parentElement.style.setProperty("--at", range.value + "%"));
</script>
</body>
</html>
"""
FIGURE = """<figure>
<div class="pair">
<img src="%(after)s" alt="restored">
<img class="before" src="%(before)s" alt="degraded">
<div class="line"></div>
<input type="range" min="0" max="100" step="0.1" value="50" aria-label="how much of the degraded picture is shown">
</div>
<figcaption>%(name)s<dl>%(facts)s</dl></figcaption>
</figure>"""
SCORES = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TITLE</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif;
    --line: color-mix(in srgb, currentColor 18%, transparent); }
  body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
  h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th, td { padding: .35rem 1.2rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left; }
  th, td { white-space: nowrap; }
  tbody th { font-weight: normal; } th[title] { cursor: help; }
  small, dd { opacity: .75; } p, dl, li { font-size: .9rem; } ul { padding-left: 1.2rem; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; } dd { margin: 0; }
  summary { cursor: pointer; margin: 2rem 0 .5rem; }
</style>
</head>
<body>
<h1>TITLE</h1>
<div class="wide">MEANS</div>
<p>BEST</p>
DIFFERENCES
<h2>What the numbers mean</h2>
<dl>NOTES</dl>
<details>
<summary>Every picture</summary>
<div class="wide">PICTURES</div>
</details>
</body>
</html>
"""
LARGE = 1_500_000
"""Pictures of more pixels are put into the page as JPEG, not PNG."""


def before_and_after(pairs: Sequence[tuple[str, Picture, Picture, Mapping[str, Any]]], path: Path) -> None:
    """Write a page of pairs: each a name, the degraded and the restored picture, and facts to show. Atomic.

    Raises `RestorationError` if it cannot be written.
    """
    figures = (
        FIGURE % {"before": _inline(before), "after": _inline(after), "name": html.escape(name), "facts": _facts(facts)}
        for name, before, after, facts in pairs
    )
    write_bytes(PAGE.replace("FIGURES", "\n".join(figures)).encode(), path)


def _inline(picture: Picture) -> str:
    large = picture.pixels.shape[-1] * picture.pixels.shape[-2] > LARGE
    suffix, kind = (".jpg", "jpeg") if large else (".png", "png")
    return f"data:image/{kind};base64,{base64.b64encode(encode(picture, suffix)).decode()}"


def _facts(facts: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in facts.items() if value is not None}
    return "".join(f"<div><dt>{html.escape(n)}</dt><dd>{html.escape(str(v))}</dd></div>" for n, v in shown.items())


def scores(
    title: str,
    means: list[list[str]],
    pictures: list[list[str]],
    *,
    best: Collection[tuple[int, int]] = (),
    meanings: Sequence[str] = (),
    differences: Sequence[str] = (),
    footnotes: Sequence[tuple[str, str]] = (),
) -> str:
    """Return an HTML page with a table of means and one of pictures.

    * `title`: the title of the page.
    * `means`, `pictures`: the rows of the two tables, the first row of each a header.
    * `best`: the cells of the table of means that are bold, by row and column.
    * `meanings`: tooltips of the names of the rows of the table of means.
    * `differences`: sentences below that table.
    * `footnotes`: names and their explanations.
    """
    sentences = "".join(f"<li>{html.escape(one).replace(' = ', '&nbsp;=&nbsp;')}</li>\n" for one in differences)
    parts = {
        "TITLE": html.escape(title),
        "MEANS": _table(means, best, meanings),
        "BEST": "In bold: the best mean of the methods." if best else "",
        "DIFFERENCES": f"<h2>Differences</h2>\n<ul>\n{sentences}</ul>" if differences else "",
        "NOTES": "".join(f"<dt>{html.escape(n)}</dt><dd>{html.escape(words)}</dd>\n" for n, words in footnotes),
        "PICTURES": _table(pictures, leading=2),
    }
    return re.sub("|".join(parts), lambda match: parts[match[0]], SCORES)


def _table(
    rows: list[list[str]], best: Collection[tuple[int, int]] = (), meanings: Sequence[str] = (), leading: int = 1
) -> str:
    """Return an HTML table. The first `leading` columns are headers of the rows; `meanings` are their tooltips."""
    lines = ["".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in rows[0])]
    for y, row in enumerate(rows[1:], 1):
        title = f' title="{html.escape(meanings[y - 1])}"' if y <= len(meanings) else ""
        names = [f'<th scope="row"{title}>{html.escape(cell)}</th>' for cell in row[:leading]]
        lines.append("".join([*names, *(_td(cell, (y, x) in best) for x, cell in enumerate(row) if x >= leading)]))
    body = "".join(f"<tr>{line}</tr>\n" for line in lines[1:])
    return f"<table>\n<thead><tr>{lines[0]}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"


def _td(cell: str, best: bool) -> str:
    """Return a cell with a number, and its interval in small print."""
    number, bracket, interval = html.escape(cell).partition(" [")
    number = f"<b>{number}</b>" if best else number
    return f"<td>{number} <small>[{interval}</small></td>" if bracket else f"<td>{number}</td>"
