"""Weights that a sub-command names: a name, a folder, or owner/name[@revision] on the Hub, and which of these it is."""

from __future__ import annotations

from pathlib import Path

from restoration.errors import BadWeights
from restoration.hub import is_repository
from restoration.registry import registry
from restoration.registry.cards import RestorerCard, WeightsCard
from restoration.weights import SUFFIXES, Folder, resolve


def card_names() -> list[str]:
    """Return the names of the weights that came with plugins."""
    return [card.name for card in registry().cards(WeightsCard)]


def is_on_hub(name: str) -> bool:
    """Return whether a name is that of a repository, and of nothing on this machine."""
    if not is_repository(name) or name.lower().endswith(SUFFIXES):
        return False
    return not Path(name).expanduser().exists() and name not in card_names()


def folder_of(name: str, *, offline: bool = True) -> Folder:
    """Return the folder of weights that a name stands for, fetched perhaps. Raises `UnknownName` or `BadWeights`."""
    folder = resolve(name, "", "", offline=offline)
    if folder is None:
        raise registry().unknown(WeightsCard, name)
    return folder


def named_mean(folder: Folder, *, offline: bool = True) -> list[tuple[str, Folder]]:
    """Return the weights of the mean that those of a folder go with, by their name; none if they do not draw.

    Raises `UnknownName`, or `BadWeights` if the mean that the recipe names is not there.
    """
    from restoration.realism import mean_of

    recipe = folder.recipe()
    method = registry().card(RestorerCard, recipe.method.name)
    if not method.mean or recipe.realism is None:
        return []
    try:
        mean = mean_of(folder, recipe, recipe.task.name, offline=offline)
    except BadWeights:
        if recipe.mean:
            raise
        return []  # no default came for this task, and it serves at realism 1 without
    return [(recipe.mean if is_on_hub(recipe.mean) else mean.origin, mean)]
