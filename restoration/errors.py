"""What goes wrong in a user's hands: one line that says what, where, and what to do next."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Callable, Iterable, Mapping

LONGEST = 300
"""The most characters that are shown of the text of an exception that is not the toolbox's own."""
BAD = "\N{REPLACEMENT CHARACTER}"
"""Stands for a character that must not be shown."""
MOST = 1800
"""The most characters of the text of an error of the toolbox; of longer ones the middle is left out."""


class RestorationError(Exception):
    """Something that the user can put right. Its text is one line; the command line prints it without a traceback.

    What a file or a server gave may be part of it, so it is made harmless for a terminal, and not too long. Options are
    named as the command line spells them: `--mask` is an argument `mask`, or a key of `task_options` or `options`.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(shortened(plain(text)))


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


def check_arguments(called: str, function: Callable[..., object], given: Mapping[str, object]) -> None:
    """Raise `BadOption` for an argument that something `called` would hand to a function that has none of that name."""
    known = [name for name, one in inspect.signature(function).parameters.items() if one.kind is one.KEYWORD_ONLY]
    for name, value in given.items():
        if name not in known:
            pair = f"{{{name!r}: {value!r}}}"
            near = f"did you mean {nearest(name, known)!r}, or " if nearest(name, known) else ""
            raise BadOption(
                f"{called} has no argument {name!r}; {near}task_options={pair} for what is known about the picture, or "
                f"options={pair} for the method and its parts?"
            )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'median'?", or the few names there are, or nothing."""
    known = sorted(known)
    near = nearest(name, known)
    if near:
        return f"; did you mean {near!r}?"
    if 0 < len(known) <= 16:
        return f"; there are {', '.join(known)}"
    return ""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like one, "" if none is."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), "")


def nearest_path(path: str | os.PathLike[str]) -> str:
    """Return the path that is there and most like one that is not, step by step, "" if none is."""
    found = ""
    for step in os.path.normpath(path).split(os.sep):
        beside = os.path.join(found, step) if found or step else os.sep
        if step and not os.path.lexists(beside):
            try:
                step = nearest(step, os.listdir(found or os.curdir))
            except OSError:
                return ""
            if not step:
                return ""
            beside = os.path.join(found, step)
        found = beside
    return found


def plain(text: str) -> str:
    """Return a text as one line, without the characters that a terminal obeys instead of showing them."""
    return " ".join(harmless(text).split())


def harmless(text: str) -> str:
    """Return a text of several lines without the characters that a terminal obeys instead of showing them."""
    lines = (
        "".join(one if one.isprintable() or one in "\t\xa0\u3000" else BAD for one in line)
        for line in text.splitlines()
    )
    return "\n".join(lines) + ("\n" if text.endswith("\n") else "")


def shortened(text: str) -> str:
    """Return a text without its middle, if it is longer than `MOST` characters."""
    return text if len(text) <= MOST else f"{text[: MOST // 2 - 3]} ... {text[3 - MOST // 2 :]}"


def one_line(error: BaseException) -> str:
    """Return an exception as one line of at most 300 characters: its kind and the first line of its text."""
    try:
        text = plain((str(error).strip().splitlines() or [""])[0])[:LONGEST]
    except BaseException:  # it may be a plugin's, and do anything
        text = "its text cannot be read"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
