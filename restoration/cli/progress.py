"""How far a piece of work is, on stderr: bars on a terminal, drawn by rich, or plain lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.console import progress_bar, progress_wanted, say

if TYPE_CHECKING:
    from restoration.training.outcome import Progress
    from restoration.training.settings import Training

REDRAWN = 0.25
"""Seconds between two looks at a training: each waits for a GPU."""
MEASURED = 5.0
"""Seconds of steps from which the time of a training is estimated."""


@contextmanager
def picture_bar(total: int) -> Iterator[Callable[[str, Any], None]]:
    """A bar over pictures; the remark counts the guesses of the present one."""
    guesses = 0
    with progress_bar() as drawn:
        task = drawn.add_task("restoring", total=total, remark="")

        def step(name: str, guess: Any) -> None:
            nonlocal guesses
            guesses = guesses + 1 if guess is not None else 0
            drawn.update(task, advance=1 if guess is None else 0, remark=f"{name}, step {guesses}" if guesses else "")

        yield step


@contextmanager
def training_progress(
    out: Path, settings: Training, *, quiet: bool, watch: bool
) -> Iterator[Callable[[Progress], None]]:
    """Show a training: as a bar, with `watch` live from its log in `out`, or as lines where there is no terminal.

    After the first seconds a line estimates how long it will take.
    """
    terminal = progress_wanted(quiet)
    if quiet:
        yield lambda progress: None
    elif terminal and watch:
        from restoration.cli.watch import watching

        with watching(out, settings.steps) as see:
            yield now_and_then(see, settings.steps)
    elif terminal:
        with progress_bar() as drawn:
            task = drawn.add_task("training", total=settings.steps, remark="")

            def draw(progress: Progress) -> None:
                drawn.update(task, completed=progress.step, remark=remark(progress))

            yield both(estimating(settings.steps, drawn.console.print), now_and_then(draw, settings.steps))
    else:
        every = settings.log_every if watch else settings.validate_every

        def tell(progress: Progress) -> None:
            if progress.step % every == 0 or progress.step == settings.steps:
                say(f"step {progress.step} of {settings.steps}: {remark(progress)}, {progress.seconds:.0f} s")

        yield both(estimating(settings.steps, say), tell)


def remark(progress: Progress) -> str:
    """Return the latest loss and PSNR of a training."""
    psnr = "" if progress.psnr is None else f", PSNR {progress.psnr:.2f} dB"
    return f"loss {progress.loss:.4f}{psnr}"


def both(first: Callable[[Progress], None], second: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """Return a function that calls two."""

    def call(progress: Progress) -> None:
        first(progress)
        second(progress)

    return call


def now_and_then(see: Callable[[Progress], None], steps: int) -> Callable[[Progress], None]:
    """Return a function that calls `see` after the last step, and else not more often than people can see."""
    last = -REDRAWN

    def call(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= REDRAWN or progress.step == steps:
            see(progress)
            last = time.monotonic()

    return call


def estimating(steps: int, tell: Callable[[str], Any]) -> Callable[[Progress], None]:
    """Return a function that tells once how long the steps to come will take, from the time of the first ones.

    The very first, which is slower, does not count. Less than a minute is not worth a line.
    """
    first: Progress | None = None
    known = False

    def call(progress: Progress) -> None:
        nonlocal first, known
        first = first or progress
        passed, made = progress.seconds - first.seconds, progress.step - first.step
        if known or not made or passed < MEASURED:
            return
        known = True
        left = passed / made * (steps - progress.step)
        if left >= 60:
            tell(f"about {duration(left)} to go on this machine, at {made / passed:.3g} steps/s")

    return call


def duration(seconds: float) -> str:
    """Return a time as people say it: "3 h 20 min", "12 min", "2 days 4 h"."""
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} day{'s' * (days > 1)}" + (f" {hours} h" if hours else "")
