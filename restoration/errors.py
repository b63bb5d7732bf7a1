"""What goes wrong in a user's hands: one line that says what, where, and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RestorationError(Exception):
    """Something that the user can put right. Its text is one line; the command line prints it without a traceback."""


class UnknownName(RestorationError):
    """A method, network, task, set of weights... that no plugin brings."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        near = did_you_mean(name, known)
        super().__init__(f"no {kind} is named {name!r}{near}{hint and f' ({hint})'}")


class BadOption(RestorationError):
    """An option that is not known, or a value that does not fit."""


class BadPicture(RestorationError):
    """A file that is not a picture, or not one that can be read whole."""


class BadWeights(RestorationError):
    """A folder of weights that cannot be used as asked."""


class BadPlugin(RestorationError):
    """A plugin that cannot be loaded."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'median'?", or the few names there are, or nothing."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    if 0 < len(known) <= 16:
        return f"; there are {', '.join(known)}"
    return ""
