"""A lock: which weights a project uses, to the commit and the bytes; `restoration.lock`, a file to be kept with it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Any

from restoration.documents import read_document
from restoration.errors import BadWeights, did_you_mean
from restoration.hub.repository import is_repository

LOCK = "restoration.lock"
"""What the file is called."""
HEAD = (
    "# Weights of this project, to the byte. `restore weights lock NAME...` writes it, `--locked` uses nothing else.\n"
)


def hashes(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the SHA-256 of files, by name. Raises `BadWeights` for one that cannot be read."""
    found = {}
    for name, path in files.items():
        try:
            with open(path, "rb") as file:
                found[name] = file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise BadWeights(f"{path}: {error.strerror}") from error
    return found


@dataclass(frozen=True, kw_only=True)
class Locked:
    """A set of weights: its name as `--weights` takes it, the commit or version, and the SHA-256 of its files."""

    name: str
    revision: str
    sha256: Mapping[str, str]

    def stands_for(self, what: str) -> bool:
        """Return whether weights are these: by name, by repository and commit, or by the same path."""
        if what in (self.name, self.origin):
            return True
        return os.path.exists(what) and os.path.exists(self.name) and os.path.samefile(what, self.name)

    @property
    def origin(self) -> str:
        """The name, of a repository with the commit."""
        from_hub = is_repository(self.name) and len(self.revision) == 40
        return f"{self.name.partition('@')[0]}@{self.revision}" if from_hub else self.name


@dataclass(frozen=True, kw_only=True)
class Lock:
    """The sets of weights of a lock, and the file it stands in."""

    path: Path
    sets: tuple[Locked, ...] = field(default=())

    @classmethod
    def read(cls, path: Path) -> Lock:
        """Read the file of a lock. Raises `BadWeights`."""
        import tomllib

        try:
            document = tomllib.loads(read_document(path).decode())
            sets = tuple(_locked(one) for one in document["weights"])
        except FileNotFoundError as error:
            raise BadWeights(f"there is no {path}; `restore weights lock NAME...` writes one") from error
        except OSError as error:
            raise BadWeights(f"{path}: {error.strerror}") from error
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise BadWeights(f"{path} is no lock: {error}; `restore weights lock NAME...` writes one") from error
        return cls(path=path, sets=sets)

    def find(self, what: str) -> Locked:
        """Return the set that a name stands for. Raises `BadWeights` if it is not in the lock."""
        for one in self.sets:
            if one.stands_for(what):
                return one
        near = did_you_mean(what, [one.name for one in self.sets])
        raise BadWeights(f"weights {what} are not in {self.path}{near}; add them with `restore weights lock {what}`")

    def pinned(self, name: str) -> str:
        """Return a name with the commit of the lock, if it is that of a repository. Raises `BadWeights`."""
        if os.path.exists(os.path.expanduser(name)) or not is_repository(name):
            return name
        return self.find(name).origin

    def check(self, what: str, files: Mapping[str, Path]) -> None:
        """Raise `BadWeights` if files are not those of the lock, byte for byte."""
        locked = self.find(what)
        for name, found in hashes(files).items():
            if locked.sha256.get(name) != found:
                raise BadWeights(
                    f"{name} of {what} is not that of {self.path}: its SHA-256 is {found}, not "
                    f"{locked.sha256.get(name)}; put that back, or `restore weights lock {locked.name}`"
                )

    def with_sets(self, *sets: Locked) -> Lock:
        """Return the lock with other sets, which take the places of those of their names."""
        merged = {one.name: one for one in (*self.sets, *sets)}
        return Lock(path=self.path, sets=tuple(merged[name] for name in sorted(merged)))

    def text(self) -> str:
        """Return what stands in the file: TOML."""
        parts = [HEAD]
        for one in self.sets:
            lines = ["[[weights]]", f"name = {_quoted(one.name)}", f"revision = {_quoted(one.revision)}"]
            pairs = ", ".join(f"{_quoted(name)} = {_quoted(value)}" for name, value in one.sha256.items())
            parts.append("\n".join([*lines, f"sha256 = {{ {pairs} }}"]) + "\n")
        return "\n".join(parts)


def _locked(one: Any) -> Locked:
    """Read a set. Raises `LookupError` or `TypeError`."""
    locked = Locked(name=one["name"], revision=one["revision"], sha256=dict(one["sha256"]))
    if not all(isinstance(value, str) for value in (locked.name, locked.revision, *locked.sha256.values())):
        raise TypeError("names, revisions and hashes are texts")
    return locked


def _quoted(text: str) -> str:
    """Return a text as TOML and JSON both write it."""
    return json.dumps(text, ensure_ascii=False)
