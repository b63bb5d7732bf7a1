"""A set of weights as a repository on the Hub: what differs is sent, in one commit; what is equal is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha1
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from restoration.errors import BadWeights, RestorationError, one_line
from restoration.hub.repository import CARD, COMMIT, NoRepository, NoRevision, Repository, answered, identity
from restoration.hub.trouble import PATIENCE, Unreachable, address, quietly, read_timeout, refusal, trouble, within

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelInfo, RepoSibling

T = TypeVar("T")

SILENCE = 60.0
"""Seconds in which a server that is sent something must say something."""
REFUSALS = {
    401: "the Hub does not know who you are; `hf auth login`, with a token that may write",
    403: "the Hub does not let you write there; is it yours, and your token one that may write?",
    404: "there is no such repository on the Hub, or no such owner",
    412: "somebody else has changed it in the meantime; look at it, then push again",
}
"""What the Hub means by a status, when something is written."""


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """What came of it: the files that were sent, none if all are there; `commit` is "" where there is none."""

    repository: str
    commit: str
    files: tuple[str, ...]
    size: int

    @property
    def status(self) -> str:
        """One or two words."""
        return "unchanged" if not self.files else "pushed" if self.commit else "would be pushed"


def push(
    name: str,
    files: Mapping[str, bytes | Path],
    *,
    revision: str = "main",
    private: bool = False,
    message: str = "",
    dry_run: bool = False,
    card: Callable[[str], bytes] | None = None,
    progress: bool = False,
) -> Pushed:
    """Make the files of a repository these; it is made if it is not there. Other files in it stay.

    Raises `BadWeights` for what the Hub refuses, `Unreachable` where it does not answer.

    * `name`: `owner/name`.
    * `files`: what the files hold, or where they are, by name.
    * `revision`: the branch; another than main is made of main if it is not there.
    * `private`: whether a repository that is made is for its owner alone.
    * `message`: that of the commit.
    * `dry_run`: whether nothing is sent, only compared.
    * `card`: makes README.md of the one that is there, if there is one; None to take that of `files`.
    * `progress`: whether a bar is drawn on stderr.
    """
    repository, api = Repository(name=name, revision=revision), _api()
    there, exists = _present(api, repository)
    if card is not None and there is not None and _holds(there, CARD):
        files = {**files, CARD: card(_readme(repository.at(_checked(name, there.sha))))}
    known = {one.rfilename: one for one in there.siblings or []} if there is not None else {}
    different = {path: data for path, data in files.items() if not _is_equal(known.get(path), data)}
    size = sum(data.stat().st_size if isinstance(data, Path) else len(data) for data in different.values())
    done = Pushed(repository=name, commit=_checked(name, there.sha) if there else "", files=tuple(different), size=size)
    if not different:
        return done
    if dry_run:
        return Pushed(repository=name, commit="", files=done.files, size=size)
    if not exists:
        _written(name, lambda: api.create_repo(name, private=private or None, exist_ok=True))
    if there is None and revision != "main":
        _written(name, lambda: api.create_branch(name, branch=revision, exist_ok=True))
    with _progress(progress), quietly():
        message = message or f"Upload {', '.join(different)} with restoration"
        commit = _commit(api, name, different, revision=revision, message=message, parent=there)
    return Pushed(repository=name, commit=commit, files=done.files, size=size)


def _api() -> HfApi:
    from huggingface_hub import HfApi

    return HfApi(**identity({}))


def _present(api: HfApi, repository: Repository) -> tuple[ModelInfo | None, bool]:
    """Return what a repository holds at its revision, None if nothing, and whether it is there at all."""
    name, revision = repository.name, repository.revision

    def ask() -> ModelInfo:
        return api.model_info(name, revision=revision, files_metadata=True, timeout=read_timeout())

    try:
        return answered(name, time.monotonic() + PATIENCE, ask, revision=revision), True
    except NoRepository:
        return None, False
    except NoRevision:
        return None, True


def _checked(name: str, commit: object) -> str:
    """Return what the Hub names as a commit. Raises `Unreachable` if it is none."""
    if not COMMIT.fullmatch(str(commit)):
        raise Unreachable(
            f"what answers at {address()} is no Hub: for {name} it names no commit ({str(commit)[:60]!r})"
        )
    return str(commit)


def _readme(repository: Repository) -> str:
    from restoration.documents import read_document

    deadline = time.monotonic() + PATIENCE
    path = repository.get(CARD, repository.ask(CARD, deadline), deadline)
    return read_document(path).decode(errors="replace")


def _holds(info: ModelInfo, file: str) -> bool:
    return any(one.rfilename == file for one in info.siblings or [])


def _is_equal(there: RepoSibling | None, data: bytes | Path) -> bool:
    """Return whether a file of a repository holds this, by the hash that the Hub names."""
    if there is None:
        return False
    with open(data, "rb") if isinstance(data, Path) else BytesIO(data) as file:
        if there.lfs is not None:
            return bool(there.lfs.sha256 == file_digest(file, "sha256").hexdigest())
        whole = file.read()
    return bool(there.blob_id == sha1(b"blob %d\0" % len(whole) + whole).hexdigest())


@contextmanager
def _progress(drawn: bool) -> Iterator[None]:
    """Let the Hub's library draw its bars, or not."""
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

    if not drawn:
        disable_progress_bars()
    try:
        yield
    finally:
        if not drawn:
            enable_progress_bars()


def _written(name: str, call: Callable[[], T]) -> T:
    """Do something short to a repository. Raises `BadWeights` or `Unreachable`, one line that says why not."""
    try:
        return within(time.monotonic() + PATIENCE, call)
    except RestorationError:
        raise
    except Exception as error:
        raise _explained(name, error) from error


def _explained(name: str, error: Exception) -> RestorationError:
    """Say in one line why something could not be written."""
    response = getattr(error, "response", None)
    code = getattr(response, "status_code", None)
    if code == HTTPStatus.UNAUTHORIZED or type(error).__name__ == "LocalTokenNotFoundError":
        code = HTTPStatus.UNAUTHORIZED
    if code in REFUSALS:
        return BadWeights(f"{name}: {REFUSALS[code]}")
    if code == HTTPStatus.BAD_REQUEST or isinstance(error, ValueError):
        return BadWeights(f"{name}: the Hub does not take this: {one_line(error)}")
    return trouble(error) if response is None else refusal(name, response)


def _commit(
    api: HfApi, name: str, files: Mapping[str, bytes | Path], *, revision: str, message: str, parent: ModelInfo | None
) -> str:
    """Send files in one commit; return its hash."""
    from huggingface_hub import CommitOperationAdd, get_session

    operations = [CommitOperationAdd(path_in_repo=path, path_or_fileobj=data) for path, data in files.items()]
    session: Any = get_session()
    before, session.timeout = session.timeout, SILENCE
    try:
        info = api.create_commit(
            name,
            operations,
            commit_message=message,
            revision=revision,
            parent_commit=parent.sha if parent is not None else None,
        )
    except Exception as error:
        raise _explained(name, error) from error
    finally:
        session.timeout = before
    return _checked(name, info.oid)
