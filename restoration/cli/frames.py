"""A file of one picture or of many: each is restored, and the results make one file again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from restoration.cli.headings import KNOWN, RESULTS, under
from restoration.errors import BadPicture

if TYPE_CHECKING:
    from restoration.images.pictures import Pictures
    from restoration.interfaces import Result
    from restoration.picture import Picture


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of a file: its first picture, what came of all of them, and the bytes of the results."""

    picture: Picture
    result: Result
    data: bytes


def restored(pictures: Pictures, suffix: str, restore: Callable[[Picture], Result], quality: int | None = None) -> Done:
    """Restore the pictures of a file one by one, for a file of results with a suffix.

    The result is that of the first one, with the work of all. Raises `RestorationError`, before the work for what can
    be known before it.
    """
    from restoration.images.assembly import Assembly

    with _named(pictures.name):
        assembly = Assembly(suffix, len(pictures), pictures.timing, quality)
    first: Picture | None = None
    results: list[Result] = []
    for picture in pictures:
        with _named(pictures.name):
            assembly.check(picture)
        result = restore(picture)
        if result.ended == "Ctrl-C" and len(results) + 1 < len(pictures):
            raise KeyboardInterrupt
        assembly.add(result.picture)
        first = first or picture
        results.append(result if not results else replace(result, picture=results[0].picture))
    assert first is not None
    return Done(picture=first, result=_together(results), data=assembly.file())


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the file that an error is about."""
    try:
        yield
    except BadPicture as error:
        raise BadPicture(f"{name}: {error}") from error


def _together(results: list[Result]) -> Result:
    """Return one result for the pictures of a file: the first picture, with the work of all."""
    if len(results) == 1:
        return results[0]
    return replace(with_work_of(results, results[-1], "picture"), frames=len(results))


def with_work_of(results: list[Result], base: Result, each: str) -> Result:
    """Return the result `base` with the work of all: its sums, whether it was cut short, and the doubts about each.

    `each` is the word for one of them, which doubts begin with.
    """
    return replace(
        base,
        evaluations=sum(result.evaluations for result in results),
        seconds=round(sum(result.seconds for result in results), 3),
        ended=next((result.ended for result in results if result.ended != "done"), "done"),
        doubts=tuple(f"{each} {number}: {doubt}" for number, one in enumerate(results, 1) for doubt in one.doubts),
    )


def chosen_suffix(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Read the name of a format, "png" or ".png", as a suffix that can be written. Raises `click.BadParameter`."""
    if value is None or ctx.resilient_parsing:
        return None
    from restoration.images import can_write, writable

    suffix = "." + value.lower().removeprefix(".")
    if not can_write(suffix):
        known = ", ".join(one.removeprefix(".") for one in writable())
        raise click.BadParameter(f"{value!r} is none of {known}")
    return suffix


def output_options(command: Any) -> Any:
    """Add the options of how files are read and written."""
    for option in (
        under(KNOWN)("--damaged", is_flag=True, help="Restore damaged files as far as they can be decoded."),
        under(RESULTS)(
            "--jpeg-quality",
            type=click.IntRange(1, 100),
            metavar="N",
            help="Quality of JPEG, WebP and AVIF results, from 1 to 100.  [default: about that of each picture]",
        ),
        under(RESULTS)(
            "--format",
            "suffix",
            metavar="EXT",
            callback=chosen_suffix,
            help="Format of the results, such as png or webp.  [default: that of each picture]",
        ),
    ):
        command = option(command)
    return command
