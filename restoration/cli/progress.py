"""Bars on a terminal, drawn by rich on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def bar() -> Progress:
    """Return a bar with a count, times and a text of ours."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}"),
        console=Console(stderr=True),
        transient=True,
    )


@contextmanager
def picture_bar(total: int) -> Iterator[Callable[[str, Any], None]]:
    """A bar over pictures; the remark counts the guesses of the present one."""
    guesses = 0
    with bar() as drawn:
        task = drawn.add_task("restoring", total=total, remark="")

        def step(name: str, guess: Any) -> None:
            nonlocal guesses
            guesses = guesses + 1 if guess is not None else 0
            drawn.update(task, advance=1 if guess is None else 0, remark=f"{name}, step {guesses}" if guesses else "")

        yield step


@contextmanager
def step_bar(total: int) -> Iterator[Callable[[int, str], None]]:
    """A bar over the steps of a training."""
    with bar() as drawn:
        task = drawn.add_task("training", total=total, remark="")
        yield lambda done, remark: drawn.update(task, completed=done, remark=remark)
