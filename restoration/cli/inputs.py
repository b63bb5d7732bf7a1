"""Which files a command works on: those that are named, and those found in folders and by patterns."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import click

from restoration.images.formats import is_picture
from restoration.images.parts import PART

STREAM = "-"
ADDRESS = re.compile(r"(?:https?|ftp|file|s3|gs)://")
"""How an address begins, which stands for no file here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A file to work on, or stdin as "-".

    `key` tells it from other files, however they are named; `inside` is the folder that it lies in as seen from the
    folder that was named, "" for files; `named` says that it was named itself, by the user or by a pattern.
    """

    path: str
    key: str
    inside: str = ""
    named: bool = False

    @property
    def folder(self) -> str:
        """The folder as it was named, "." for the present one."""
        return "." if self.path == STREAM else os.path.dirname(self.path) or "."


@dataclass(kw_only=True)
class Inputs:
    """The files to work on, each once, in order, and what stood in their place.

    `others` are how many other files folders held, by suffix, `empty` the folders without a picture, `unreadable` the
    arguments and folders that cannot be used, and why, `in_results` how many pictures lie where results go.
    """

    sources: list[Source] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    empty: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    in_results: int = 0

    def notes(self) -> list[str]:
        """Return a line about each kind of what was left alone in folders, if there was something."""
        lines = [f"{folder} holds no pictures" for folder in self.empty]
        if self.others:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.others.most_common(5))
            more = ", ..." if len(self.others) > 5 else ""
            lines.append(f"left alone: {counted(self.others.total(), 'other file')} ({kinds}{more})")
        if self.in_results:
            lines.append(f"left alone: {counted(self.in_results, 'picture')} in the folder that results go to")
        return lines


def counted(number: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{number} {what}" + "s" * (number != 1)


def find(arguments: Iterable[str], without: Iterable[str] = (), results: str | None = None) -> Inputs:
    """Find the files for the arguments of a command: files, folders with all that is below them, patterns, "-".

    Of a folder what lies in those of `without` is not taken, nor what lies in `results` if that is a folder inside it.
    Several folders keep their own names, as seen from the folder that they have in common. Raises `click.UsageError`
    for an argument that is empty.
    """
    found, taken = Inputs(), set()
    names = [name for argument in arguments for name in _matches(argument, found)]
    common = _common([name for name in names if os.path.isdir(name)])
    avoided = {_number(folder) for folder in without} - {None}
    own = None if results is None else _number(results)
    for name in names:
        if os.path.isdir(name):
            below = os.path.relpath(os.path.realpath(name), common) if common else "."
            sources = _walk(name, "" if below == "." else below, avoided, own, found)
        else:
            sources = iter([Source(path=name, key=file_key(name), named=True)])
        before = found.in_results + len(found.unreadable)
        holds = False
        for source in sources:
            holds = True
            if source.key not in taken:
                taken.add(source.key)
                found.sources.append(source)
        if not holds and before == found.in_results + len(found.unreadable):
            found.empty.append(name)
    return found


def file_key(path: str) -> str:
    """Return a path without links in its folder and without detours: the same for all names of one place."""
    folder, name = os.path.split(os.path.join(os.getcwd(), path))
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    return os.path.join(_real(folder), name)


@cache
def _real(folder: str) -> str:
    return os.path.realpath(folder)


def _matches(argument: str, found: Inputs) -> list[str]:
    """Return an argument, or what it stands for where it is a pattern that the shell has left to us.

    What can be no file, and a pattern without any, are noted. An empty name is that of no folder: a variable of the
    shell without a value must not stand for all that lies here.
    """
    if not argument:
        raise click.UsageError(
            "an input is empty, as by a variable that is not set; name files, folders, or - for stdin"
        )
    if not os.path.lexists(argument) and ADDRESS.match(argument):
        found.unreadable.append((argument, f"{argument} is an address; fetch the picture first, then name its file"))
        return []
    if os.path.lexists(argument) or not any(sign in argument for sign in "*?["):
        return [os.fspath(Path(argument))]
    names = sorted(glob.glob(argument, recursive=True))
    if not names:
        found.unreadable.append((argument, f"{argument}: no file has a name like this pattern"))
    return names


def _common(roots: list[str]) -> str | None:
    """Return the folder that several folders have in common, None for one of them."""
    places = sorted({os.path.realpath(root) for root in roots})
    try:
        return os.path.commonpath(places) if len(places) > 1 else None
    except ValueError:  # on several drives
        return None


def _walk(
    root: str, below: str, avoided: set[tuple[int, int] | None], own: tuple[int, int] | None, found: Inputs
) -> Iterator[Source]:
    """Give the pictures of a folder, sorted, those of its sub-folders in their places; note what is none of them."""
    here = os.path.join(os.curdir, "") if root == os.curdir else ""  # what lies there is named without it
    cut = len(os.path.join(root, "")) - len(here)
    waiting = _entries(root, found)
    while waiting:
        entry = waiting.pop()
        path = entry.path.removeprefix(here)
        if entry.is_dir(follow_symlinks=False):
            number = _number(entry.path)
            if own is not None and number == own:
                found.in_results += sum(1 for _ in _walk(path, "", avoided, None, Inputs()))
            elif number not in avoided:
                waiting += _entries(path, found)
        elif _is_picture(entry):
            inside = os.path.join(below, os.path.dirname(path)[cut:]).rstrip(os.sep)
            yield Source(path=path, key=file_key(path), inside=sys.intern(inside))
        elif not PART.fullmatch(entry.name):
            found.others[_kind(entry)] += 1


def _entries(folder: str, found: Inputs) -> list[os.DirEntry[str]]:
    """What a folder holds, the first in order last."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name, reverse=True)
    except OSError as error:
        found.unreadable.append((folder, f"{folder} cannot be read: {error.strerror}"))
        return []


def _is_picture(entry: os.DirEntry[str]) -> bool:
    """Say whether a file of a folder is taken: by its name, if it is a file at all; links to files are."""
    if not is_picture(entry.name):
        return False
    try:
        return entry.is_file()
    except OSError:  # links in a circle
        return False


def _kind(entry: os.DirEntry[str]) -> str:
    """What a file is that is not taken, in a word."""
    if entry.is_symlink():
        return "links"
    if entry.name.startswith("._"):
        return "._ of macOS"
    if not entry.is_file(follow_symlinks=False):
        return "pipes and devices"
    return os.path.splitext(entry.name)[1].lower() or "without a suffix"


def _number(path: str) -> tuple[int, int] | None:
    """What the file system knows a file by, None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
