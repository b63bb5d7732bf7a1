"""Sets of weights on the Hub, found by the tags of their cards."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from restoration.errors import BadWeights, plain
from restoration.hub.repository import answered, identity
from restoration.hub.trouble import PATIENCE, address, quietly, read_timeout

LIBRARY = "restoration"
"""The tag of every set of weights of this toolbox."""
MOST = 2000
"""Sets that are looked through at most."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A repository: its name, commit, tags, licence, and how often it was fetched in the last month."""

    name: str
    revision: str
    tags: tuple[str, ...]
    license: str
    downloads: int
    changed: str


def search(
    words: Sequence[str] = (),
    *,
    tags: Sequence[str] = (),
    owner: str | None = None,
    limit: int = 20,
) -> list[Found]:
    """Return sets of weights on the Hub, those fetched most first. Raises `BadWeights` or `Unreachable`.

    * `words`: each is in the name or in a tag.
    * `tags`: each is one of the tags: tasks, methods, networks, `license:mit`.
    * `owner`: whose they are.
    * `limit`: how many at most.
    """
    from huggingface_hub import HfApi

    api, deadline, asked = HfApi(**identity({})), time.monotonic() + PATIENCE, "the list of weights"
    answered(asked, deadline, _reach)

    def ask() -> list[Found]:
        models = api.list_models(filter=[LIBRARY, *tags], author=owner, sort="downloads", full=True)
        found = (_found(model) for model in islice(models, MOST))
        return list(islice((one for one in found if _fits(one, words)), limit))

    try:
        with quietly():
            return answered(asked, deadline, ask)
    except (AttributeError, TypeError, LookupError) as error:
        raise BadWeights("the Hub answers a search with something else than a list") from error


def _reach() -> None:
    """Ask for one model: the library asks for lists again and again where nothing answers, for this it does not."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

    headers = build_hf_headers(**identity({}))
    url = f"{address()}/api/models?filter={LIBRARY}&limit=1"
    hf_raise_for_status(get_session().get(url, headers=headers, timeout=read_timeout()))


def _found(model: Any) -> Found:
    tags = tuple(plain(str(tag)) for tag in model.tags or ())
    stated = next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), "")
    changed = model.last_modified.date().isoformat() if model.last_modified else ""
    return Found(
        name=plain(str(model.id)),
        revision=str(model.sha or ""),
        tags=tags,
        license=stated,
        downloads=int(model.downloads or 0),
        changed=changed,
    )


def _fits(one: Found, words: Sequence[str]) -> bool:
    places = [one.name.lower(), *(tag.lower() for tag in one.tags)]
    return all(any(word.lower() in place for place in places) for word in words)
