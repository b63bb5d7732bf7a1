"""What all weights must fulfil that are used for a while: a licence, a place in a lock.

Weights are found in many places, one set by the recipe of another. So terms are not handed around but hold for
everything that is done under them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from restoration.hub.licenses import Licenses
from restoration.hub.lock import Lock


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Licences that are taken, and the lock that holds; None for no such condition."""

    licenses: Licenses | None = None
    lock: Lock | None = None

    def pinned(self, name: str) -> str:
        """Return the name of weights with the commit of the lock. Raises `BadWeights` for a repository not in it."""
        return name if self.lock is None else self.lock.pinned(name)

    def check_license(self, what: str, license: str) -> None:
        """Raise `BadWeights` if weights have a licence that is not taken."""
        if self.licenses is not None:
            self.licenses.check(what, license)

    def check(self, what: str, license: Callable[[], str], files: Mapping[str, Path]) -> None:
        """Raise `BadWeights` if weights do not fulfil the terms. Only what is needed is read.

        * `what`: their name, with the commit if they are from the Hub.
        * `license`: returns their licence.
        * `files`: their files on this disk, by the names in a repository.
        """
        if self.licenses is not None:
            self.licenses.check(what, license())
        if self.lock is not None:
            self.lock.check(what, files)


NONE = Terms()
"""No conditions at all."""
_TERMS: ContextVar[Terms] = ContextVar("terms", default=NONE)


def current_terms() -> Terms:
    """Return what weights must fulfil at the moment."""
    return _TERMS.get()


@contextmanager
def under_terms(*, license: str | None = None, locked: Path | None = None) -> Iterator[Terms]:
    """Let conditions hold for all weights that are used meanwhile, beside those that hold already.

    * `license`: licences that are taken, separated by commas; "permissive" stands for many.
    * `locked`: the file of a lock; nothing that is not in it is used.

    Raises `BadOption` or `BadWeights` for what cannot be read.
    """
    before = _TERMS.get()
    terms = Terms(
        licenses=Licenses.parsed(license) if license is not None else before.licenses,
        lock=Lock.read(locked) if locked else before.lock,
    )
    token = _TERMS.set(terms)
    try:
        yield terms
    finally:
        _TERMS.reset(token)
