"""A training, live on a terminal: how far it is, its latest numbers, and the curves of loss and PSNR."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from restoration.console import progress_bar
from restoration.training.records import LOG, read_log

if TYPE_CHECKING:
    from restoration.training.outcome import Progress

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The dots of a braille letter by row and column: each is a bit of the number that Unicode adds to `EMPTY`."""
EMPTY = 0x2800
"""The braille letter without a dot."""
WIDTH, HEIGHT = 34, 8
"""Letters and lines of a curve."""


@contextmanager
def watching(out: Path, total: int, console: Console | None = None) -> Iterator[Callable[[Progress], None]]:
    """Show a training of `total` steps whose log lies in `out`; the function that it gives takes its progress."""
    console = console or Console(stderr=True)
    drawn = progress_bar(console)
    task = drawn.add_task("training", total=total, remark="")
    lines: list[dict[str, Any]] = []
    size = -1
    with Live(Group(drawn), console=console, refresh_per_second=4) as live:

        def see(progress: Progress) -> None:
            nonlocal lines, size
            drawn.update(task, completed=progress.step, remark=f"loss {progress.loss:.4f}")
            now = (out / LOG).stat().st_size if (out / LOG).exists() else 0
            if now != size:
                lines, size = read_log(out), now
                live.update(Group(drawn, *curves(lines)))

        yield see


def curves(lines: Sequence[dict[str, Any]]) -> list[Any]:
    """Return what is shown of the lines of a log: two curves side by side, and the latest numbers."""
    if not lines:
        return []
    loss = [(line["step"], line["loss"]) for line in lines]
    quality = [(line["step"], line["psnr_rgb"]) for line in lines if line.get("psnr_rgb") is not None]
    panels = [Panel(chart(loss, log=True), title="loss", expand=False)]
    if quality:
        panels.append(Panel(chart(quality), title="PSNR in validation, dB", expand=False))
    return [Columns(panels), Text(numbers(lines))]


def numbers(lines: Sequence[dict[str, Any]]) -> str:
    """Return the latest numbers of a log, with the best PSNR and where it was reached, on one line."""
    last = lines[-1]
    shown = [f"step {last['step']}", f"loss {last['loss']:.5g}"]
    if "lr" in last:
        shown += [f"lr {last['lr']:.3g}", f"{last['steps_per_second']:.3g} steps/s"]
    tested = [line for line in lines if line.get("psnr_rgb") is not None]
    if tested:
        best = max(tested, key=lambda line: float(line["psnr_rgb"]))
        shown.append(f"PSNR {tested[-1]['psnr_rgb']:.2f} dB, best {best['psnr_rgb']:.2f} at step {best['step']}")
    return "   ".join(shown)


def chart(points: Sequence[tuple[float, float]], *, log: bool = False, width: int = WIDTH, height: int = HEIGHT) -> str:
    """Return a curve as lines of braille letters, with its ends written beside: the highest and the lowest value.

    Points that are not finite, or not positive where `log`, are left out.
    """
    seen = [(x, math.log(y) if log else y) for x, y in points if math.isfinite(y) and (y > 0 or not log)]
    if not seen:
        return "no number yet"
    (first, last), (low, high) = ((min(values), max(values)) for values in zip(*seen, strict=True))
    across, up = 2 * width - 1, 4 * height - 1
    cells = [[EMPTY] * width for _ in range(height)]
    before = None
    for x, y in seen:
        column = round((x - first) / (last - first or 1) * across)
        row = round((high - y) / (high - low) * up) if high > low else up // 2
        for c, r in _line(before or (column, row), (column, row)):
            cells[r // 4][c // 2] |= DOTS[r % 4][c % 2]
        before = (column, row)
    top, bottom = (f"{math.exp(value) if log else value:.4g}".rjust(8) for value in (high, low))
    labels = [top, *[" " * 8] * (height - 2), bottom]
    drawn = [f"{label} {''.join(map(chr, row))}" for label, row in zip(labels, cells, strict=True)]
    steps = f"{first:g}".ljust(width - len(f"{last:g}")) + f"{last:g}"
    return "\n".join([*drawn, " " * 9 + steps])


def _line(start: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Give the dots of a straight line."""
    count = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    for step in range(count + 1):
        yield round(start[0] + (end[0] - start[0]) * step / count), round(start[1] + (end[1] - start[1]) * step / count)
