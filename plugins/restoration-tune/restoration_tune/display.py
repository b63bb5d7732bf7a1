"""Trials on the terminal while they run: a live table or, where nobody looks, a line for each that has ended."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from restoration.console import is_terminal, say
from restoration_tune.page import cells, ranked
from restoration_tune.space import Space, label, short_names
from restoration_tune.trials import DONE, RUNNING, Row

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = 20
"""Rows of the table at most."""


class Display:
    """Shows trials of a search over a `space`, of which so many are asked for."""

    def __init__(self, space: Space, trials: int, *, quiet: bool) -> None:
        self.space, self.trials, self.quiet = space, trials, quiet
        self.live: Any = None
        self.told: set[int] | None = None

    def __enter__(self) -> Display:
        if is_terminal(sys.stderr) and not self.quiet:
            from rich.console import Console
            from rich.live import Live

            self.live = Live(console=Console(stderr=True), transient=True, auto_refresh=False)
            self.live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live is not None:
            self.live.__exit__(kind, error, trace)

    def show(self, rows: list[Row]) -> None:
        """Show rows that are new or others than before."""
        if self.live is not None:
            self.live.update(self._table(rows), refresh=True)
            return
        ended = {row.number: row for row in rows if row.state != RUNNING}
        if self.told is None:  # those of before are in the table in the end
            self.told = {*ended}
        for number in sorted(ended.keys() - self.told) if not self.quiet else ():
            row = ended[number]
            score = "no PSNR" if row.psnr is None else f"PSNR {row.psnr:.2f} dB"
            end = f"; {row.error or row.state}" if row.state != DONE else ""
            say(f"trial {number} of {self.trials}: {score}, {row.seconds:.0f} s, {label(row.chosen)}{end}")
        self.told |= ended.keys()

    def _table(self, rows: list[Row]) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(
            "trial", *short_names([*self.space]), "PSNR", "loss", "s", "", title=f"{len(rows)} of {self.trials}"
        )
        for row in ranked(rows)[:SHOWN]:
            table.add_row(*map(Text, cells(self.space, row)))
        return table
