"""Pictures to learn from that are none of those a training is judged by, under whatever names they lie."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from restoration.errors import BadOption, BadPicture
from restoration.images.idx import Entry
from restoration.images.shards import Member

if TYPE_CHECKING:
    from restoration.images import Source
    from restoration.images.folders import Pair

log = logging.getLogger("restoration")

BLOCK = 4096
"""Bytes in the middle of two files of one size that are compared before the whole files are."""


def learnt_from(pairs: Sequence[Pair], judges: Sequence[Pair]) -> list[Pair]:
    """Return the pairs without those of which a picture is, byte for byte, one for validation too.

    How many they are is logged. Raises `BadOption` if nothing is left, and `BadPicture` for what cannot be read.
    """
    twins = Twins(chain.from_iterable(_sources(pair) for pair in judges))
    left = [pair for pair in pairs if not any(source in twins for source in _sources(pair))]
    if pairs and not left:
        raise BadOption(
            "all pictures to learn from are those for validation too; name others with --validation, or leave it out, "
            "and some are held out"
        )
    if len(left) < len(pairs):
        number = f"{len(pairs) - len(left)} of {len(pairs)}"
        log.warning("%s pictures are copies of those for validation, and are not learned from", number)
    return left


class Twins:
    """Files, of which it is asked whether others are their copies; hardly any of those others is read as a whole."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self.known: dict[int, dict[bytes, set[bytes]]] = {}
        for source in sources:
            self.known.setdefault(_size(source), {}).setdefault(_block(source), set()).add(_digest(source))

    def __contains__(self, source: Source) -> bool:
        blocks = self.known.get(_size(source))
        return blocks is not None and _digest(source) in blocks.get(_block(source), ())


def _sources(pair: Pair) -> list[Source]:
    return [source for source in (pair.clean, pair.degraded) if source is not None]


def _size(source: Source) -> int:
    with _readable(source):
        return source.size if isinstance(source, Member | Entry) else os.stat(str(source)).st_size


def _block(source: Source) -> bytes:
    middle = _size(source) // 2
    with _readable(source):
        if not isinstance(source, Path):
            return source.read_bytes()[middle : middle + BLOCK]
        with open(source, "rb") as file:
            file.seek(middle)
            return file.read(BLOCK)


def _digest(source: Source) -> bytes:
    with _readable(source):
        return blake2b(source.read_bytes(), digest_size=16).digest()


@contextmanager
def _readable(source: Source) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadPicture(f"cannot read {source}: {error.strerror}") from error
