"""One HTML file, complete in itself: tables of scores."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Sequence

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
