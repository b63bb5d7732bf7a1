"""`restore audit`: test pictures looked for inside a training set."""

from __future__ import annotations

from pathlib import Path

import click

from restoration.console import common_options, echo_json, prepare, progress, say, threads_option


@click.command()
@click.argument("train", type=click.Path(path_type=Path))
@click.argument("test", type=click.Path(path_type=Path))
@threads_option
@common_options
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
    from restoration_audit import search

    prepare(threads)
    with progress("reading", quiet=quiet) as observe:
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
