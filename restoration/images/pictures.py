"""The pictures that a file holds: one or many, decoded one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from restoration.errors import BadPicture
from restoration.images.formats import writable
from restoration.picture import Picture


@dataclass(frozen=True)
class Timing:
    """How long each frame is shown, in milliseconds, and how often all are, 0 for ever.

    With a `cover` the first picture is none of them: it is what programs show that know no animations.
    """

    delays: tuple[int, ...]
    loop: int = 0
    cover: bool = False


class Unreadable(BadPicture):
    """A file that is none of our formats, or of a kind that libvips does not know; a plugin may."""


class Pictures:
    """The pictures of a file, one or many: pages of a TIFF file, or frames of an animation, which have a `timing`."""

    timing: Timing | None = None
    what = "pages"

    def __init__(self, name: str, picture: Picture | None = None) -> None:
        """`picture` is the only one of a file, where a plugin decoded it."""
        self.name, self.picture, self.count = name, picture, 1

    @property
    def suffix(self) -> str:
        """The suffix that a file of them may have, by its name: ".png" for what has none that can be written."""
        suffix = Path(self.name).suffix.lower()
        return suffix if suffix in writable() else ".png"

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Picture]:
        """Decode them one by one. Raises `BadPicture`."""
        if self.picture is not None:
            yield self.picture

    def decoded(self) -> Decoded:
        """Decode all of them now. Raises `BadPicture`."""
        return Decoded(self)

    def only(self) -> Picture:
        """Return the picture of a file that holds one. Raises `BadPicture` if it holds more."""
        self.refuse_many()
        return next(iter(self))

    def refuse_many(self) -> None:
        """Raise `BadPicture` for a file of more than one picture."""
        if len(self) > 1:
            raise BadPicture(f"{self.name} holds {len(self)} {self.what}; `restore run` restores each of them")


class Decoded(Pictures):
    """The pictures of a file, all of them decoded."""

    def __init__(self, pictures: Pictures) -> None:
        super().__init__(pictures.name)
        self.count, self.what, self.timing = len(pictures), pictures.what, pictures.timing
        self.all = list(pictures)

    def __iter__(self) -> Iterator[Picture]:
        """Give them one by one."""
        return iter(self.all)
