"""`restore example`: the size and the mean brightness of pictures."""

from __future__ import annotations

from pathlib import Path

import click
from restoration import RestorationError
from restoration.console import common_options, echo_json, say, tracked


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@common_options
def brightness(pictures: tuple[Path, ...], as_json: bool, quiet: bool) -> int:
    """Print the width, the height and the mean brightness, from 0 to 1, of pictures.

    The exit code is 1 if one cannot be read; the others are measured all the same.
    """
    from restoration import read  # what is heavy is imported when it is needed: --help stays fast

    failed = 0
    for path in tracked(pictures, "reading", quiet=quiet):
        try:
            pixels = read(path).pixels
        except RestorationError as error:
            failed += 1
            say(f"error: {error}")
            continue
        height, width = pixels.shape[-2:]
        mean = round(float(pixels.mean()), 4)
        if as_json:
            echo_json({"picture": str(path), "width": width, "height": height, "brightness": mean})
        else:
            click.echo(f"{path}: {width}x{height}, brightness {mean}")
    return 1 if failed else 0
