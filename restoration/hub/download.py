"""The bytes of one file of a repository: received in a few tries, counted, and compared with the name of the contents.

Servers are not trusted: what comes too slowly, too long, or is not what it was called, leaves nothing behind.
"""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import sha1, sha256
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.errors import BadWeights, RestorationError
from restoration.hub.trouble import Unreachable, address, kinds_of, read_timeout, refusal, trouble, within

if TYPE_CHECKING:
    from restoration.images.parts import Part

log = logging.getLogger("restoration")

COUNTED = {"X-HF-Download-Counter": "1"}
"""What tells the Hub to count a request as a download, as its own library does."""
SHA256 = re.compile(r"[0-9a-f]{64}")
"""The ETag of a large file."""
SHA1 = re.compile(r"[0-9a-f]{40}")
"""The ETag of a small one, which is what git calls it; other ETags say nothing about the contents."""
STRETCH, LEAST = 12.0, 1 << 14
"""Seconds, and the bytes of a file that must come in them."""
TRIES = 3
"""How often a file is begun that does not come whole; each time where the last one ended, if the server can do that."""
PIECE = 1 << 20
"""Bytes that are read at once of a file in the cache."""


class Broken(Exception):
    """A file has not come whole, and may be asked for once more."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the Hub says of a file: the commit, its ETag, which names the contents, and its size in bytes."""

    commit: str
    etag: str
    size: int


class Digest:
    """The hash that an ETag is: SHA-256 of a large file, git's of a small one; SHA-1 alone is what mirrors may say."""

    def __init__(self, etag: str, size: int) -> None:
        self.etag = etag
        self._hashes = [sha256()] if SHA256.fullmatch(etag) else []
        if SHA1.fullmatch(etag):
            self._hashes = [sha1(b"blob %d\0" % size), sha1()]

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        for one in self._hashes:
            one.update(piece)

    @property
    def found(self) -> str:
        """What the contents are called by the kind of hash that the ETag is; the ETag itself if it is none."""
        names = [one.hexdigest() for one in self._hashes]
        return self.etag if not names or self.etag in names else names[0]

    @property
    def kind(self) -> str:
        """What the hash is called."""
        return "SHA-256" if SHA256.fullmatch(self.etag) else "SHA-1 of git"


class Incoming:
    """The bytes of a file as they come: written to a part, counted and digested; some of them may be there already."""

    def __init__(self, part: Part, facts: Facts) -> None:
        self.part, self.facts = part, facts
        if part.size > facts.size:
            part.cut(0)
        self.digest = _digest(part.part, facts)
        self._since = (time.monotonic(), part.size)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.part.size

    def begin(self) -> None:
        """Forget what there is."""
        self.part.cut(0)
        self.digest = Digest(self.facts.etag, self.facts.size)
        self._since = (time.monotonic(), 0)

    def add(self, piece: bytes) -> None:
        """Take the next bytes. Raises `Unreachable` if they come too slowly."""
        self.part.write(piece)
        self.digest.add(piece)
        begin, before = self._since
        if time.monotonic() - begin > STRETCH:
            if self.size - before < LEAST:
                raise Unreachable(f"the Hub ({address()}) is too slow: {self.size - before} bytes in {STRETCH:.0f} s")
            self._since = (time.monotonic(), self.size)


def named_by(path: Path, facts: Facts) -> bool:
    """Return whether a file is what the Hub says: its size, and its hash if the ETag is one."""
    if path.stat().st_size != facts.size:
        return False
    return _digest(path, facts).found == facts.etag


def _digest(path: Path, facts: Facts) -> Digest:
    """Return the digest of a file."""
    digest = Digest(facts.etag, facts.size)
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            digest.add(piece)
    return digest


def is_whole(path: Path) -> bool:
    """Return whether a file of the cache is what it is named by, if that is a hash; a damaged one is removed."""
    blob = path.resolve()
    if named_by(blob, Facts(commit="", etag=blob.name, size=blob.stat().st_size)):
        return True
    log.warning("%s was damaged, and is removed from the cache", path)
    with suppress(OSError):
        blob.unlink()
    return False


@dataclass(frozen=True, kw_only=True)
class Download:
    """A file of a repository at a commit, to be fetched; `about` is what the Hub's library makes headers of."""

    repository: str
    file: str
    facts: Facts
    about: Mapping[str, Any]

    def to(self, blob: Path, deadline: float) -> None:
        """Fetch the bytes into a file, in a few tries. Raises `BadWeights` or `Unreachable`.

        What a killed process has fetched of them is not fetched again, if their hash is known to tell whether it fits.
        """
        from restoration.images.parts import Part, clear_parts, part_name

        etag = self.facts.etag
        resumed = part_name(etag) if SHA256.fullmatch(etag) or SHA1.fullmatch(etag) else ""
        clear_parts(blob.parent, resumed)
        free = shutil.disk_usage(blob.parent).free
        if self.facts.size > free:
            needed = f"{self.file} of {self.repository} has {self.facts.size / 1e9:.1f} GB"
            raise BadWeights(f"{needed}, and {blob.parent} {free / 1e9:.1f}")
        with Part(blob, resumed=resumed) as part:
            incoming = Incoming(part, self.facts)
            there = incoming.size
            self._complete(incoming, deadline)
            if there and incoming.digest.found != etag:  # what was left there was not what it seemed
                incoming.begin()
                self._complete(incoming, deadline)
            if incoming.digest.found != etag:
                found = f"its {incoming.digest.kind} is {incoming.digest.found}, not {etag} as the Hub says"
                raise BadWeights(
                    f"{self.file} of {self.repository} came damaged, and nothing of it is kept: {found}; try again, "
                    "or from another network"
                )

    def _complete(self, incoming: Incoming, deadline: float) -> None:
        """Receive what is missing, in a few tries. Raises as `to`."""
        for rest in reversed(range(TRIES if incoming.size < self.facts.size else 0)):
            try:
                self._receive(incoming, deadline)
                break
            except Broken as error:
                if not rest:
                    raise Unreachable(f"{self.file} of {self.repository} did not come whole: {error}") from error

    def _receive(self, incoming: Incoming, deadline: float) -> None:
        """Receive what is missing. Raises `Broken`, and the rest as `to`."""
        whole = self.facts.size
        with closing(self._open(incoming.size, deadline)) as response:
            if response.status_code == HTTPStatus.OK:
                incoming.begin()
            elif response.status_code != HTTPStatus.PARTIAL_CONTENT:
                raise refusal(self.repository, response)
            elif not response.headers.get("Content-Range", "").startswith(f"bytes {incoming.size}-"):
                incoming.begin()
                raise Broken("the server gave another part of it than the one that was asked for")
            try:
                for piece in response.iter_raw():
                    incoming.add(piece)
                    if incoming.size > whole:
                        longer = f"{self.file} of {self.repository} is longer"
                        raise BadWeights(f"{longer} than the {whole} bytes it should have")
            except RestorationError:
                raise
            except Exception as error:
                if not kinds_of(error) & {"RemoteProtocolError", "ReadError"}:
                    raise trouble(error) from error
        if incoming.size < whole:
            raise Broken(f"the connection was cut after {incoming.size} of {whole} bytes")

    def _open(self, start: int, deadline: float) -> Any:
        """Ask for the bytes from a place on; the answer is open. Raises `Unreachable`."""
        from huggingface_hub import get_session, hf_hub_url
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        headers = build_hf_headers(**self.about, headers=COUNTED) | {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        url = hf_hub_url(self.repository, self.file, revision=self.facts.commit)

        def ask() -> Any:
            session = get_session()
            request = session.build_request("GET", url, headers=headers, timeout=read_timeout())
            return session.send(request, stream=True, follow_redirects=True)

        try:
            try:
                return within(deadline, ask)
            except Exception as error:
                if "RemoteProtocolError" not in kinds_of(error):
                    raise
                return within(deadline, ask)  # on a new connection: the server had closed the one that was kept
        except RestorationError:
            raise
        except Exception as error:
            raise trouble(error) from error
