"""What is fetched of a repository: all of a set of weights to use it, or its card and recipe alone to look at it.

Before tensors are fetched for the first time a line says what they are, from where, how large, under which licence.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from restoration.documents import read_document
from restoration.errors import BadWeights, RestorationError, nearest, nearest_path, plain
from restoration.hub.header import license_of
from restoration.hub.repository import CARD, CONFIG, MODEL, Lacking, NoRepository, Repository
from restoration.hub.terms import current_terms
from restoration.hub.trouble import PATIENCE, Unreachable, address
from restoration.registry import registry

log = logging.getLogger("restoration")


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a repository holds at a commit: its recipe's path in the cache, its card, and the bytes of its tensors.

    `fetched` says whether the tensors are in the cache too; `size` is None if they are not and nobody could be asked.
    """

    config: Path
    card: str
    size: int | None
    fetched: bool

    @property
    def commit(self) -> str:
        """The commit, 40 hexadecimal digits."""
        return self.config.parent.name


def pull(name: str, *, offline: bool, known: Iterable[str] = (), about: Mapping[str, str] | None = None) -> Path:
    """Fetch `owner/name[@revision]` from the Hugging Face Hub, or from its cache; return the folder in the cache.

    Where the Hub does not answer, the cache may serve instead. Raises `BadWeights`.

    * `name`: that of the repository, with a revision perhaps.
    * `offline`: whether nothing may be asked, as with HF_HUB_OFFLINE.
    * `known`: names that were perhaps meant, for the error.
    * `about`: what is sent to the Hub as user agent.
    """
    repository = Repository.named(name, about)
    if repository.pinned and (found := repository.cached(CONFIG, MODEL)):
        return found[0].parent
    return _reached(repository, _fetched, (CONFIG, MODEL), offline=offline, known=known)[0].parent


def look(name: str, *, offline: bool = False, known: Iterable[str] = ()) -> Look:
    """Fetch the card and the recipe of a repository, but no tensors. Raises `BadWeights`."""
    sizes: list[int] = []

    def ask(repository: Repository) -> list[Path]:
        deadline = time.monotonic() + PATIENCE
        facts = repository.ask(CONFIG, deadline)
        here = repository.at(facts.commit)
        sizes.append(here.ask(MODEL, deadline).size)
        _card(here, deadline)
        found = [here.get(CONFIG, facts, deadline)]
        if not repository.cached(CONFIG):  # or a name that stands for whole weights would stand for their recipe alone
            repository.note(facts.commit)
        return found

    repository = Repository.named(name)
    (config,) = _reached(repository, ask, (CONFIG,), offline=offline, known=known)
    here = repository.at(config.parent.name)
    model, card = here.cached(MODEL), here.cached(CARD)
    text = read_document(card[0]).decode(errors="replace") if card else ""
    size = model[0].stat().st_size if model else next(iter(sizes), None)
    return Look(config=config, card=text, size=size, fetched=model is not None)


def _reached(
    repository: Repository,
    act: Callable[[Repository], list[Path]],
    files: tuple[str, ...],
    *,
    offline: bool,
    known: Iterable[str],
) -> list[Path]:
    """Do something with a repository, or return its files from the cache where the Hub cannot be asked."""
    from huggingface_hub.constants import HF_HUB_OFFLINE

    name = repository.name
    try:
        if offline or HF_HUB_OFFLINE:
            raise Unreachable("--offline was given" if offline else "HF_HUB_OFFLINE is set")
        return act(repository)
    except NoRepository as error:
        there = "; --offline takes what is in the cache" if repository.cached(*files) else _hint(name, known)
        raise BadWeights(f"{error}{there}") from error
    except Unreachable as error:
        found = repository.cached(*files)
        if found is None:
            raise BadWeights(
                f"{name} is not in the Hub's cache on this machine, and {error}{_hint(name, known)}"
            ) from error
        if not offline and not HF_HUB_OFFLINE:
            log.warning("%s; %s is that of the cache on this machine", error, name)
        return found


def _fetched(repository: Repository) -> list[Path]:
    """Fetch a set of weights, all files of one commit. Raises `BadWeights` or `Unreachable`."""
    deadline = time.monotonic() + PATIENCE
    config = repository.ask(CONFIG, deadline)
    here = repository.at(config.commit)
    paths = here.cached(CONFIG, MODEL)
    if paths is None:
        card = _card(here, deadline)
        stated = license_of(card)
        model = here.ask(MODEL, deadline)
        new = not here.has(model)
        if new:
            current_terms().check_license(f"{here.name}@{here.revision}", stated)
        paths = [here.get(CONFIG, config, deadline)]
        if new:
            _tell(here, model.size, stated)
        paths.append(here.get(MODEL, model, deadline))
    repository.note(config.commit)
    return paths


def _tell(repository: Repository, size: int, stated: str) -> None:
    """Say what is about to be fetched."""
    words = f"licence {plain(stated)[:60]}" if stated else "no licence stated"
    what = f"{repository.name}@{repository.revision[:12]}"
    log.info("fetching %s from the Hub (%s): %.1f MB, %s", what, address(), size / 1e6, words)


def _card(repository: Repository, deadline: float) -> str:
    """Fetch and return the card at a commit, "" if there is none."""
    try:
        path = repository.get(CARD, repository.ask(CARD, deadline), deadline)
        return read_document(path).decode(errors="replace")
    except Lacking:
        return ""
    except OSError as error:
        raise RestorationError(f"{repository.name}: {CARD}: {error.strerror}") from error


def _hint(name: str, known: Iterable[str]) -> str:
    """Say that a name is that of no folder either, and what else was perhaps meant."""
    folder = nearest_path(name)
    near = folder if folder and os.path.isdir(folder) else nearest(name, known)
    missing = registry().hint(name.partition("/")[0])
    more = f"; did you mean {near!r}?" if near else f"; {missing}" if missing else ""
    return f"; nor is there a folder {name} here{more}"
