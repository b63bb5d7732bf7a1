"""Repositories of weights on the Hugging Face Hub: fetched into its cache on this machine, checked, within a time.

The Hub's own library finds the server, the token and the cache. Fetching is done here: a server is a stranger, whose
answers must neither choose where a file is written nor keep anybody waiting, and whose bytes are compared with the
SHA-256 that it names.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.errors import BadWeights, RestorationError, plain
from restoration.hub.trouble import PATIENCE, Unreachable, address, kinds_of, refusal, silence, trouble, within

if TYPE_CHECKING:
    from restoration.images.parts import Part

log = logging.getLogger("restoration")

REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(@\S+)?", re.ASCII)
"""What names a repository, perhaps with a revision."""
REVISION = re.compile(r"(?!.*(\.\.|//|\.lock(/|$)))\w[\w.+=-]*(/\w[\w.+=-]*)*", re.ASCII)
"""A branch, a tag, `refs/pr/1` or a commit: it becomes a path in the cache, so nothing that could lead out of it."""
COUNTED = {"X-HF-Download-Counter": "1"}
"""What tells the Hub to count a request as a download, as its own library does."""
COMMIT = re.compile(r"[0-9a-f]{40}")
ETAG = re.compile(r"\w[\w.-]{0,200}", re.ASCII)
"""What a server may call the contents of a file, which becomes the name of a file in the cache."""
SHA256 = re.compile(r"[0-9a-f]{64}")
"""The ETag of a large file; other ETags say nothing about the contents."""
STRETCH, LEAST = 12.0, 1 << 14
"""Seconds, and the bytes of a file that must come in them."""
TRIES = 3
"""How often a file is begun that does not come whole; each time where the last one ended, if the server can do that."""


class NoRepository(BadWeights):
    """There is no such repository on the Hub, or not for everybody."""


class Broken(Exception):
    """A file has not come whole, and may be asked for once more."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the Hub says of a file: the commit, its ETag, which is the SHA-256 of a large one, and its size in bytes."""

    commit: str
    etag: str
    size: int


class Incoming:
    """The bytes of a file as they come: written to a part, counted and digested."""

    def __init__(self, part: Part) -> None:
        self.part, self.digest = part, sha256()
        self._since = (time.monotonic(), 0)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.part.size

    def begin(self) -> None:
        """Forget what there is."""
        self.part.cut(0)
        self.digest = sha256()
        self._since = (time.monotonic(), 0)

    def add(self, piece: bytes) -> None:
        """Take the next bytes. Raises `Unreachable` if they come too slowly."""
        self.part.write(piece)
        self.digest.update(piece)
        begin, before = self._since
        if time.monotonic() - begin > STRETCH:
            if self.size - before < LEAST:
                raise Unreachable(f"the Hub ({address()}) is too slow: {self.size - before} bytes in {STRETCH:.0f} s")
            self._since = (time.monotonic(), self.size)


def is_repository(name: str) -> bool:
    """Return whether a name can be that of a repository, `owner/name[@revision]`."""
    return bool(REPOSITORY.fullmatch(name))


def _is_whole(path: Path) -> bool:
    """Return whether a file of the cache has the SHA-256 that it is named by, if it is; a damaged one is removed."""
    blob = path.resolve()
    if not SHA256.fullmatch(blob.name):
        return True
    with open(blob, "rb") as file:
        if file_digest(file, "sha256").hexdigest() == blob.name:
            return True
    log.warning("%s was damaged, and is removed from the cache", path)
    with suppress(OSError):
        blob.unlink()
    return False


@dataclass(kw_only=True)
class Repository:
    """A repository on the Hub at a `revision`, a branch, tag or commit; `about` is told to the Hub as user agent.

    Raises `BadWeights` for what cannot be a name or a revision.
    """

    name: str
    revision: str = "main"
    about: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

        try:
            validate_repo_id(self.name)
        except ValueError as error:
            raise BadWeights(f"{self.name} cannot be a repository on the Hub: {error}") from error
        if not REVISION.fullmatch(self.revision):
            raise BadWeights(f"{self.revision!r} cannot be a revision of {self.name}: name a branch, a tag or a commit")

    def cached(self, *files: str) -> list[Path] | None:
        """Return files of the revision as they lie in the cache, None if not all do, whole. No request is made."""
        from huggingface_hub import try_to_load_from_cache

        found = [try_to_load_from_cache(self.name, file, revision=self.revision) for file in files]
        paths = [Path(path) for path in found if isinstance(path, str) and _is_whole(Path(path))]
        return paths if len(paths) == len(files) else None

    def fetch(self, *files: str) -> list[Path]:
        """Return files of the revision, of one commit, from the cache if it has that commit, else from the Hub.

        Raises `BadWeights` for what the Hub refuses or sends damaged, `Unreachable` where it does not answer.
        """
        if COMMIT.fullmatch(self.revision) and (found := self.cached(*files)):
            return found
        deadline = time.monotonic() + PATIENCE
        first = self._ask(files[0], self.revision, deadline)
        commit = first.commit
        at_commit = Repository(name=self.name, revision=commit, about=self.about)
        paths = at_commit.cached(*files) or [
            at_commit._get(file, first if file == files[0] else self._ask(file, commit, deadline), deadline)
            for file in files
        ]
        if self.revision != commit:
            self._note(commit)
        return paths

    def _note(self, commit: str) -> None:
        """Keep which commit the revision is now, if the cache can be written."""
        from restoration.images import make_folder, write_bytes

        path = self._folder() / "refs" / self.revision
        with suppress(RestorationError):
            make_folder(path.parent)
            write_bytes(commit.encode(), path)

    def _folder(self) -> Path:
        from huggingface_hub.constants import HF_HUB_CACHE

        return Path(HF_HUB_CACHE, f"models--{self.name.replace('/', '--')}")

    def _ask(self, file: str, revision: str, deadline: float) -> Facts:
        """Ask what a file is, without its bytes. Raises `BadWeights` or `Unreachable`."""
        from huggingface_hub import errors, get_hf_file_metadata, hf_hub_url

        url, about = hf_hub_url(self.name, file, revision=revision), self._about()
        try:
            found = within(deadline, lambda: get_hf_file_metadata(url, timeout=silence(), headers={**COUNTED}, **about))
        except errors.RemoteEntryNotFoundError as error:
            raise BadWeights(f"{self.name} on the Hub is not a set of weights: it lacks {file}") from error
        except errors.RevisionNotFoundError as error:
            raise BadWeights(f"{self.name} on the Hub has no revision {revision!r}") from error
        except errors.GatedRepoError as error:
            text = f"{self.name} on the Hub is gated: ask for access on its page, then `hf auth login`"
            raise BadWeights(text) from error
        except errors.RepositoryNotFoundError as error:
            raise NoRepository(f"{self.name} is not on the Hub, or is private (then `hf auth login`)") from error
        except errors.HfHubHTTPError as error:
            raise refusal(self.name, error.response) from error
        except RestorationError:
            raise
        except Exception as error:
            raise trouble(error) from error
        commit, etag = found.commit_hash or "", found.etag or ""
        if not COMMIT.fullmatch(commit) or not ETAG.fullmatch(etag) or found.size is None:
            raise Unreachable(
                f"what answers at {address()} is no Hub: of {file} it names no commit, ETag or size that can be used "
                f"({plain(commit)[:60]!r}, {plain(etag)[:60]!r}, {found.size}); is there a login page between?"
            )
        return Facts(commit=commit, etag=etag, size=found.size)

    def _get(self, file: str, facts: Facts, deadline: float) -> Path:
        """Fetch a file into the cache, unless its contents are there. Raises `BadWeights` or `Unreachable`."""
        from restoration.images import make_folder

        blob = self._folder() / "blobs" / facts.etag
        path = self._folder() / "snapshots" / facts.commit / file
        make_folder(blob.parent)
        make_folder(path.parent)
        if not blob.is_file() or blob.stat().st_size != facts.size:
            self._download(file, facts, blob, deadline)
        with suppress(OSError):
            path.unlink()
        try:
            path.symlink_to(os.path.relpath(blob, path.parent))
        except FileExistsError:  # another process was faster
            pass
        except OSError:  # a system without links
            os.replace(blob, path)
        return path

    def _download(self, file: str, facts: Facts, blob: Path, deadline: float) -> None:
        """Fetch the bytes of a file, in a few tries. Raises `BadWeights` or `Unreachable`."""
        from restoration.images.parts import Part, clear_parts

        clear_parts(blob.parent)
        free = shutil.disk_usage(blob.parent).free
        if facts.size > free:
            raise BadWeights(f"{file} of {self.name} has {facts.size / 1e9:.1f} GB, and {blob.parent} {free / 1e9:.1f}")
        log.info("fetching %s of %s from the Hub, %.1f MB", file, self.name, facts.size / 1e6)
        with Part(blob) as part:
            incoming = Incoming(part)
            for rest in reversed(range(TRIES)):
                try:
                    self._receive(file, facts, incoming, deadline)
                    break
                except Broken as error:
                    if not rest:
                        raise Unreachable(f"{file} of {self.name} did not come whole: {error}") from error
            found = incoming.digest.hexdigest()
            if SHA256.fullmatch(facts.etag) and found != facts.etag:
                raise BadWeights(
                    f"{file} of {self.name} came damaged, and nothing of it is kept: its SHA-256 is {found}, not "
                    f"{facts.etag} as the Hub says; try again, or from another network"
                )

    def _receive(self, file: str, facts: Facts, incoming: Incoming, deadline: float) -> None:
        """Receive what is missing of a file. Raises `Broken`, and the rest as `_download`."""
        with closing(self._open(file, facts.commit, incoming.size, deadline)) as response:
            if response.status_code == HTTPStatus.OK:
                incoming.begin()
            elif response.status_code != HTTPStatus.PARTIAL_CONTENT:
                raise refusal(self.name, response)
            elif not response.headers.get("Content-Range", "").startswith(f"bytes {incoming.size}-"):
                incoming.begin()
                raise Broken("the server gave another part of it than the one that was asked for")
            try:
                for piece in response.iter_raw():
                    incoming.add(piece)
                    if incoming.size > facts.size:
                        raise BadWeights(f"{file} of {self.name} is longer than the {facts.size} bytes it should have")
            except RestorationError:
                raise
            except Exception as error:
                if not kinds_of(error) & {"RemoteProtocolError", "ReadError"}:
                    raise trouble(error) from error
        if incoming.size < facts.size:
            raise Broken(f"the connection was cut after {incoming.size} of {facts.size} bytes")

    def _open(self, file: str, commit: str, start: int, deadline: float) -> Any:
        """Ask for the bytes of a file from a place on; the answer is open. Raises `Unreachable`."""
        from huggingface_hub import get_session, hf_hub_url
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        headers = build_hf_headers(**self._about(), headers=COUNTED) | {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        url = hf_hub_url(self.name, file, revision=commit)

        def ask() -> Any:
            session = get_session()
            request = session.build_request("GET", url, headers=headers, timeout=silence())
            return session.send(request, stream=True, follow_redirects=True)

        try:
            return within(deadline, ask)
        except RestorationError:
            raise
        except Exception as error:
            raise trouble(error) from error

    def _about(self) -> dict[str, Any]:
        from restoration.version import __version__

        about = {"library_name": "restoration", "library_version": __version__}
        return {**about, "user_agent": dict(self.about)}
