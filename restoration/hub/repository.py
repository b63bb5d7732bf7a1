"""Repositories of weights on the Hugging Face Hub, in its cache on this machine: names, questions, files.

The Hub's own library finds the server, the token and the cache. Fetching is done here, since servers are
not trusted: their answers must neither choose where a file is written nor keep the command waiting.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from restoration.documents import MOST
from restoration.errors import BadWeights, RestorationError, plain
from restoration.hub.download import COUNTED, Download, Facts, is_whole
from restoration.hub.trouble import Unreachable, address, read_timeout, refusal, trouble, within

T = TypeVar("T")

CONFIG, MODEL, CARD = "config.json", "model.safetensors", "README.md"
"""The files of a repository of weights: the recipe, the tensors and the model card."""
REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(@\S+)?", re.ASCII)
"""What names a repository, perhaps with a revision."""
REVISION = re.compile(r"(?!.*(\.\.|//|\.lock(/|$)))\w[\w.+=-]*(/\w[\w.+=-]*)*", re.ASCII)
"""A branch, a tag, `refs/pr/1` or a commit: it becomes a path in the cache, so nothing that could lead out of it."""
COMMIT = re.compile(r"[0-9a-f]{40}")
ETAG = re.compile(r"\w[\w.-]{0,200}", re.ASCII)
"""What a server may call the contents of a file, which becomes the name of a file in the cache."""


class NoRepository(BadWeights):
    """There is no such repository on the Hub, or not for everybody."""


class NoRevision(BadWeights):
    """A repository has no branch, tag or commit of that name."""


class Lacking(BadWeights):
    """A repository lacks a file."""


def is_repository(name: str) -> bool:
    """Return whether a name can be that of a repository, `owner/name[@revision]`."""
    return bool(REPOSITORY.fullmatch(name))


def answered(name: str, deadline: float, ask: Callable[[], T], file: str = "", revision: str = "") -> T:
    """Return what a question to the Hub about a repository brings. Raises `BadWeights` or `Unreachable`, one line."""
    from huggingface_hub import errors

    try:
        return within(deadline, ask)
    except errors.RemoteEntryNotFoundError as error:
        raise Lacking(f"{name} on the Hub is not a set of weights: it lacks {file}") from error
    except errors.RevisionNotFoundError as error:
        raise NoRevision(f"{name} on the Hub has no revision {revision!r}") from error
    except errors.GatedRepoError as error:
        text = f"{name} on the Hub is gated: ask for access on its page, then `hf auth login`"
        raise BadWeights(text) from error
    except errors.RepositoryNotFoundError as error:
        raise NoRepository(f"{name} is not on the Hub, or is private (then `hf auth login`)") from error
    except errors.HfHubHTTPError as error:
        raise refusal(name, error.response) from error
    except RestorationError:
        raise
    except Exception as error:
        raise trouble(error) from error


def identity(about: Mapping[str, str]) -> dict[str, Any]:
    """Return what tells the Hub who asks, as keywords of its library: the user agent."""
    from restoration.version import __version__

    return {"library_name": "restoration", "library_version": __version__, "user_agent": dict(about) or None}


@dataclass(kw_only=True)
class Repository:
    """A repository on the Hub at a `revision`, a branch, tag or commit; `about` is sent as user agent.

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

    @classmethod
    def named(cls, name: str, about: Mapping[str, str] | None = None) -> Repository:
        """Return the repository that `owner/name[@revision]` names."""
        name, _, revision = name.partition("@")
        return cls(name=name, revision=revision or "main", about=about or {})

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit, whose files never change."""
        return bool(COMMIT.fullmatch(self.revision))

    def at(self, commit: str) -> Repository:
        """Return the repository at a commit."""
        return replace(self, revision=commit)

    def cached(self, *files: str) -> list[Path] | None:
        """Return files of the revision as they lie in the cache, None if not all do, whole. No request is made."""
        from huggingface_hub import try_to_load_from_cache

        found = [try_to_load_from_cache(self.name, file, revision=self.revision) for file in files]
        paths = [Path(path) for path in found if isinstance(path, str) and is_whole(Path(path))]
        return paths if len(paths) == len(files) else None

    def ask(self, file: str, deadline: float) -> Facts:
        """Ask what a file is, without its bytes. Raises `Lacking`, `BadWeights` or `Unreachable`."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        url, about = hf_hub_url(self.name, file, revision=self.revision), identity(self.about)

        def ask() -> Any:
            return get_hf_file_metadata(url, timeout=read_timeout(), headers={**COUNTED}, **about)

        found = answered(self.name, deadline, ask, file, self.revision)
        commit, etag = found.commit_hash or "", found.etag or ""
        if not COMMIT.fullmatch(commit) or not ETAG.fullmatch(etag) or found.size is None:
            raise Unreachable(
                f"what answers at {address()} is no Hub: of {file} it names no commit, ETag or size that can be used "
                f"({plain(commit)[:60]!r}, {plain(etag)[:60]!r}, {found.size}); is there a login page between?"
            )
        if self.pinned and commit != self.revision:
            raise BadWeights(f"{self.name}: asked for commit {self.revision}, the Hub ({address()}) gives {commit}")
        if file != MODEL and found.size > MOST:
            raise BadWeights(f"{file} of {self.name} has {found.size / 1e6:.0f} MB, too long for such a file")
        return Facts(commit=commit, etag=etag, size=found.size)

    def has(self, facts: Facts) -> bool:
        """Return whether the contents of a file are in the cache, perhaps as those of another commit."""
        blob = self._folder() / "blobs" / facts.etag
        return blob.is_file() and blob.stat().st_size == facts.size and is_whole(blob)

    def get(self, file: str, facts: Facts, deadline: float) -> Path:
        """Fetch a file into the cache, unless its contents are there. Raises `BadWeights` or `Unreachable`."""
        from restoration.images import make_folder

        blob = self._folder() / "blobs" / facts.etag
        path = self._folder() / "snapshots" / facts.commit / file
        make_folder(blob.parent)
        make_folder(path.parent)
        if not self.has(facts):
            Download(repository=self.name, file=file, facts=facts, about=identity(self.about)).to(blob, deadline)
        with suppress(OSError):
            path.unlink()
        try:
            path.symlink_to(os.path.relpath(blob, path.parent))
        except FileExistsError:  # another process was faster
            pass
        except OSError:  # a system without links
            os.replace(blob, path)
        return path

    def note(self, commit: str) -> None:
        """Keep which commit the revision is now, if the cache can be written."""
        from restoration.images import make_folder, write_bytes

        if self.pinned:
            return
        path = self._folder() / "refs" / self.revision
        with suppress(RestorationError):
            make_folder(path.parent)
            write_bytes(commit.encode(), path)

    def _folder(self) -> Path:
        from huggingface_hub.constants import HF_HUB_CACHE

        return Path(HF_HUB_CACHE, f"models--{self.name.replace('/', '--')}")
