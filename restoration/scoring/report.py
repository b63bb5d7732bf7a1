"""One HTML file, complete in itself: pictures before and after, under a slider."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.errors import RestorationError
from restoration.images import encode, make_folder
from restoration.images.parts import Part, clear_parts

if TYPE_CHECKING:
    from restoration.picture import Picture

HEAD = """<!doctype html>
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
  .pair .guess { position: absolute; inset: 0; clip-path: inset(0 0 0 var(--at, 50%)); visibility: hidden; }
  .pair.guessing .guess { visibility: visible; }
  .pair:focus-within { outline: 3px solid Highlight; }
  figcaption { margin-top: .5rem; } figcaption label { display: block; }
  dl { display: flex; flex-wrap: wrap; gap: .2rem 1.5rem; margin: .3rem 0; font-size: .85rem; opacity: .8; }
  dl div { display: flex; gap: .4rem; } dt::after { content: ":"; } dd { margin: 0; }
</style>
</head>
<body>
<h1>Before and after</h1>
<p>Drag over a picture, or use the arrow keys: the degraded one is on the left, the restored one on the right.</p>
"""
FIGURE = """<figure>
<div class="pair">
<img src="%(after)s" alt="restored">
%(guess)s<img class="before" src="%(before)s" alt="degraded">
<div class="line"></div>
<input type="range" min="0" max="100" step="0.1" value="50" aria-label="how much of the degraded picture is shown">
</div>
<figcaption>%(name)s%(switch)s<dl>%(facts)s</dl></figcaption>
</figure>
"""
GUESS = '<img class="guess" src="%s" alt="where samples differ">\n'
SWITCH = '<label><input type="checkbox"> show where the method is guessing: the redder, the more samples differ</label>'
RED = (1.0, 0.15, 0.0)
"""The colour of what samples do not agree about."""
FOOT = """<script>
  for (const range of document.querySelectorAll(".pair input"))
    range.addEventListener("input", () => range.parentElement.style.setProperty("--at", range.value + "%"));
  for (const box of document.querySelectorAll("figcaption input"))
    box.addEventListener("change", () =>
      box.closest("figure").querySelector(".pair").classList.toggle("guessing", box.checked));
</script>
</body>
</html>
"""
NO_GUESS = {"guess": "", "switch": ""}
"""What the page has where nothing was sampled."""
LARGE = 1_500_000
"""Pictures of more pixels are put into the page as JPEG, not PNG."""
CHUNK = 1 << 20
"""Bytes of an old page that are copied at once."""


class Report:
    """A page of pairs that grows on the disk, pair by pair, and is at `path` once `finish` is called.

    With `go_on` the pairs of a page that is there already stay, and new ones follow. Raises `RestorationError` if it
    cannot be written.
    """

    def __init__(self, path: Path, *, overwrite: bool, go_on: bool = False) -> None:
        self.path = path
        self.pairs = 0
        go_on = go_on and is_report(path)
        make_folder(path.parent)
        clear_parts(path.parent)
        self._file = Part(path, overwrite=overwrite or go_on)
        if go_on:
            self._copy(path.stat().st_size - len(FOOT.encode()))
        else:
            self._file.write(HEAD.encode())
        self._lost, self._size = False, self._file.size

    def add(
        self, name: str, before: Picture, after: Picture, facts: Mapping[str, Any], deviation: Picture | None = None
    ) -> None:
        """Add a pair: its name, the degraded and the restored picture, facts to show, and where samples deviate.

        After a failure the page is given up: nothing more is added, and it will not be there.
        """
        if self._lost:
            return
        parts = {"before": _inline(before), "after": _inline(after), "name": html.escape(name), "facts": _facts(facts)}
        parts |= (
            {"guess": GUESS % _inline(_reddened(deviation), (".webp", "webp")), "switch": SWITCH}
            if deviation
            else NO_GUESS
        )
        try:
            self._file.write((FIGURE % parts).encode(errors="backslashreplace"))
        except RestorationError:
            self._lost = True
            raise
        self.pairs += 1
        self._size = self._file.size

    def finish(self) -> bool:
        """Give the page its name, if it has a pair to show; say so. What was being added meanwhile is left out."""
        if self._lost or not self.pairs:
            self._file.discard()
            return False
        self._file.cut(self._size)
        self._file.write(FOOT.encode())
        self._file.finish()
        return True

    def _copy(self, size: int) -> None:
        """Take over the beginning of the page that is there."""
        with open(self.path, "rb") as old:
            while size:
                data = old.read(min(size, CHUNK))
                self._file.write(data)
                size -= len(data)


def is_report(path: Path) -> bool:
    """Say whether a file is such a page, whole, and of this version."""
    with suppress(OSError), open(path, "rb") as file:
        begins = file.read(len(HEAD.encode())) == HEAD.encode()
        file.seek(-len(FOOT.encode()), 2)
        return begins and file.read() == FOOT.encode()
    return False


def _inline(picture: Picture, large: tuple[str, str] = (".jpg", "jpeg")) -> str:
    """Return a picture as the address of an image: PNG, or the format `large`, its suffix and its name for browsers."""
    suffix, kind = large if picture.pixels.shape[-1] * picture.pixels.shape[-2] > LARGE else (".png", "png")
    return f"data:image/{kind};base64,{base64.b64encode(encode(picture, suffix)).decode()}"


def _reddened(deviation: Picture) -> Picture:
    """Return a picture that lays red over another: opaque where a map `1 1 h w` is white, clear where it is black."""
    grey = deviation.pixels
    red = grey.new_tensor(RED)[None, :, None, None].expand(-1, -1, *grey.shape[-2:])
    return replace(deviation, pixels=red, alpha=grey, bits=8)


def _facts(facts: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in facts.items() if value is not None}
    return "".join(f"<div><dt>{html.escape(n)}</dt><dd>{html.escape(str(v))}</dd></div>" for n, v in shown.items())
