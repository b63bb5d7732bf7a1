"""A list of very many pairs in little memory, which workers get in no time: bytes instead of objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import msgspec
import torch

from restoration.images.folders import Pair
from restoration.images.idx import Entry
from restoration.images.shards import Member

if TYPE_CHECKING:
    from restoration.images import Source

    Plain = str | tuple[str, int] | tuple[str, str, int, int] | None


class PackedPairs(Sequence[Pair]):
    """Pairs as bytes, each of which is made again when it is asked for: a tenth of the memory, and quickly pickled."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        packed = [msgspec.msgpack.encode((_plain(pair.clean), _plain(pair.degraded))) for pair in pairs]
        self.data = b"".join(packed)
        self.ends = torch.tensor([0, *map(len, packed)], dtype=torch.int64).cumsum(0)

    def __len__(self) -> int:
        return len(self.ends) - 1

    @overload
    def __getitem__(self, place: int) -> Pair: ...

    @overload
    def __getitem__(self, place: slice) -> list[Pair]: ...

    def __getitem__(self, place: int | slice) -> Pair | list[Pair]:
        """Return the pair at a place, or several."""
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        begin, end = self.ends[place : place + 2].tolist()
        clean, degraded = (_source(one) for one in msgspec.msgpack.decode(self.data[begin:end]))
        assert clean is not None
        return Pair(clean=clean, degraded=degraded)


def _plain(source: Source | None) -> Plain:
    if isinstance(source, Member):
        return (source.shard, source.path, source.offset, source.size)
    if isinstance(source, Entry):
        return (source.file, source.number)
    return None if source is None else str(source)


def _source(plain: str | list[object] | None) -> Source | None:
    if isinstance(plain, list):
        return (Entry if len(plain) == 2 else Member)(*plain)  # type: ignore[arg-type]
    return None if plain is None else Path(plain)
