"""Options that say which pictures are pairs where the names of folders and files do not: of `train` and `score`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from restoration.errors import BadOption

Decorator = Callable[[Any], Any]
PLACE = click.Path(path_type=Path)
TOGETHER = "--clean and --degraded belong together: name the folders of both sides of the pairs"


def sides(option: Callable[..., Decorator]) -> tuple[Decorator, Decorator]:
    """Return the options for the two folders; `option` is `click.option` or one like it."""
    return (
        option("--clean", metavar="DIR", type=PLACE, help="The clean pictures of pairs, in place of --data."),
        option("--degraded", metavar="DIR", type=PLACE, help="The degraded pictures that belong to --clean."),
    )


def templates(option: Callable[..., Decorator]) -> tuple[Decorator, Decorator]:
    """Return the options for how files are named; `option` is `click.option` or one like it."""
    return (
        option(
            "--clean-name",
            metavar="TEMPLATE",
            default="",
            help="How clean files are named, as 'norain-{name}'; * is anything.  [default: found out]",
        ),
        option(
            "--degraded-name",
            metavar="TEMPLATE",
            default="",
            help="How degraded files are named, as '{name}x4' or '{name}_*'.  [default: found out]",
        ),
    )


def data_or_pairs(data: Path | None, clean: Path | None, degraded: Path | None) -> tuple[Path, Path | None]:
    """Return the folder of the pictures, or those of both sides of pairs. Raises `BadOption`."""
    if (clean is None) != (degraded is None):
        raise BadOption(TOGETHER)
    if (data is None) == (clean is None):
        raise BadOption("name a folder of pictures with --data, or the two sides of pairs with --clean and --degraded")
    return (data, None) if clean is None else (clean, degraded)  # type: ignore[return-value]  # one is there
