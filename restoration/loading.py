"""A `Restoration` from the name of a set of weights alone: its recipe says the method and the task."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.errors import BadOption, BadWeights, UnknownName, check_arguments
from restoration.foreign.conversion import unclear
from restoration.hub import under_terms
from restoration.hub.lock import LOCK

if TYPE_CHECKING:
    from restoration.runtime import Restoration


def load(
    name: str,
    *,
    task: str = "",
    revision: str | None = None,
    license: str | None = None,
    locked: bool | str | Path = False,
    offline: bool = False,
    **options: Any,
) -> Restoration:
    """Return a `Restoration` of a set of weights, ready for pictures. Raises `RestorationError`.

    * `name`: `owner/name[@revision]` on the Hugging Face Hub, the name of a card, or a path.
    * `task`: the name of the task, for a file of a published network that may be for several.
    * `revision`: a branch, tag or commit of a repository; a full commit that is in the cache asks nobody.
    * `license`: licences that are taken, separated by commas; "permissive" stands for all that let anybody do nearly
      anything.
    * `locked`: whether `restoration.lock` of this folder, or that of a path, must have the weights, to the byte.
    * `offline`: whether weights on the Hub must be in its cache.
    * `options`: others of `Restoration`, such as `steps` or `device`.

    Example: `load("owner/name", revision="v1.0")("rainy.png").picture`.
    """
    from restoration.runtime import Restoration
    from restoration.weights import method_of, resolve

    check_arguments("load", Restoration, options)
    if revision is not None:
        if "@" in name or Path(name).expanduser().exists():
            raise BadOption(f"a revision is for the name of a repository without one, not for {name}")
        name = f"{name}@{revision}"
    lock = Path(LOCK) if locked is True else Path(locked) if locked else None
    with under_terms(license=license, locked=lock):
        folder = resolve(name, "", task, offline=offline)
        assert folder is not None  # a name is that of weights, or an error
        recipe = folder.recipe()
        at = folder.origin if folder.origin.partition("@")[0] == name.partition("@")[0] else name
        if possible := unclear(recipe):
            raise BadOption(f"{name} does not say what it restores; give a task: {', '.join(possible)}")
        try:
            return Restoration(method_of(folder), task or recipe.task.name, weights=at, offline=offline, **options)
        except UnknownName as error:
            if recipe.requires and "the recipe asks for" not in str(error):
                command = shlex.join(["pip", "install", *recipe.requires])
                raise BadWeights(f"{error}; the recipe asks for: {command}") from error
            raise
