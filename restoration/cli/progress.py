"""How far a piece of work is, on stderr: bars on a terminal, drawn by rich, or plain lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.console import progress_bar, progress_wanted, say

if TYPE_CHECKING:
    from restoration.training import loop
    from restoration.training.settings import Training


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
) -> Iterator[Callable[[loop.Progress], None]]:
    """Show a training: as a bar, with `watch` live from its log in `out`, or as lines where there is no terminal."""
    terminal = progress_wanted(quiet)
    if quiet:
        yield lambda progress: None
    elif terminal and watch:
        from restoration.cli.watch import watching

        with watching(out, settings.steps) as see:
            yield see
    elif terminal:
        with progress_bar() as drawn:
            task = drawn.add_task("training", total=settings.steps, remark="")
            yield lambda progress: drawn.update(task, completed=progress.step, remark=remark(progress))
    else:
        every = settings.log_every if watch else settings.validate_every

        def tell(progress: loop.Progress) -> None:
            if progress.step % every == 0:
                say(f"step {progress.step} of {settings.steps}: {remark(progress)}, {progress.seconds:.0f} s")

        yield tell


def remark(progress: loop.Progress) -> str:
    """Return the latest loss and PSNR of a training."""
    psnr = "" if progress.psnr is None else f", PSNR {progress.psnr:.2f} dB"
    return f"loss {progress.loss:.4f}{psnr}"
