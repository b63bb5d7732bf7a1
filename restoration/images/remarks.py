"""What is said about pictures while they are read and written: by the log, which the command line shows as lines."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

log = logging.getLogger("restoration")
ABOUT: ContextVar[str] = ContextVar("about", default="a picture")
"""What the picture is called that is worked on."""


@contextmanager
def about(name: str) -> Iterator[None]:
    """Let what is said of a picture name it."""
    token = ABOUT.set(name)
    try:
        yield
    finally:
        ABOUT.reset(token)


def remark(text: str) -> None:
    """Say something about one picture."""
    log.warning("%s", text)


@cache
def once(text: str) -> None:
    """Say something that holds for many pictures, the first time only."""
    log.warning("%s", text)


@contextmanager
def remarks() -> Iterator[list[str]]:
    """Give a list that what is said meanwhile is put into, and keep the log silent."""
    texts: list[str] = []
    kept = logging.Handler()
    kept.emit = lambda record: texts.append(record.getMessage())  # type: ignore[method-assign]
    before, log.propagate = log.propagate, False
    log.addHandler(kept)
    try:
        yield texts
    finally:
        log.removeHandler(kept)
        log.propagate = before
