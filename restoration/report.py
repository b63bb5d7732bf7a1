"""One HTML file, complete in itself: before and after under a slider."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.images import encode, write_bytes

if TYPE_CHECKING:
    from restoration.images import Picture

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
