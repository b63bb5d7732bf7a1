"""`restore audit`: test pictures looked for inside a training set."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from restoration.console import (
    debug_option,
    echo_json,
    interruptible,
    json_option,
    progress_wanted,
    quiet_option,
    say,
    show_warnings,
    threads_option,
)


@click.command()
@click.argument("train", type=click.Path(path_type=Path))
@click.argument("test", type=click.Path(path_type=Path))
@threads_option
@json_option
@quiet_option
@debug_option
def audit(train: Path, test: Path, threads: int | None, as_json: bool, quiet: bool) -> int:
    """Look for pictures of the folder TEST inside the folder TRAIN.

    Found are whole pictures and crops from a quarter of one, whichever of the two was cropped; rotated by 90, 180 or
    270 degrees, mirrored, resized by 0.5 to 2, made brighter or darker, compressed again, and all of that together.
    Each is laid upon its copy before it is reported; the correlation is that of what the two have in common. Of pairs
    the clean pictures are compared.

    The exit code is 0 if none was found, 1 if some were, 2 for wrong usage or a file that cannot be read.

    \b
    Examples:
      restore audit photos/ CBSD68/
      restore audit photos/ Rain100H/ --json
    """
    show_warnings(quiet)
    from restoration import audit as search
    from restoration.engine.hardware import prepare

    prepare(threads)
    with interruptible() as check, ExitStack() as shown:
        task = None
        if progress_wanted(quiet):
            from restoration.console import progress_bar

            drawn = shown.enter_context(progress_bar())
            task = drawn.add_task("reading", total=None, remark="")

        def observe(done: int, total: int) -> None:
            check()
            if task is not None:
                drawn.update(task, completed=done, total=total)

        result = search.audit(train, test, observe=observe)
    if as_json:
        echo_json(result.row())
    else:
        for match in result.matches:
            click.echo(str(match))
        click.echo(result.summary())
    if result.unjudged and not quiet:
        say(f"too smooth to be judged: {', '.join(result.unjudged)}")
    return 1 if result.matches else 0
