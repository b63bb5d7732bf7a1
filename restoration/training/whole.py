"""The size and the channels of a training that learns whole pictures: those of the pictures."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from msgspec.structs import replace

from restoration.errors import BadOption
from restoration.images import read_levels, read_size
from restoration.images.folders import pairs_in
from restoration.registry import registry
from restoration.registry.cards import RestorerCard

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from restoration.recipe import Recipe
    from restoration.training.settings import Training

log = logging.getLogger("restoration")

LOOKED_AT = 200
"""Pictures whose sizes are read, spread evenly over the set; the colours of a tenth of them are read too."""
LARGEST = 64
"""The side in pixels of a patch of larger pictures: to learn those as a whole takes more than one machine."""
SMALLEST = 8
"""The side of the smallest patch."""
GREY = "y"
"""The channels of a recipe for grey pictures."""


def fit_to_pictures(
    recipe: Recipe, settings: Training, data: Path, out: Path, chosen: Collection[str]
) -> tuple[Recipe, Training]:
    """Return a recipe and settings with the channels of the pictures of `data`, and a patch of their size.

    They are returned as they are for a method that does not learn whole pictures, as its card says, and for a recipe
    of a training that has seen pictures. Pictures of several sizes, or larger than 64 pixels, are learned in patches as
    large as the smallest of them, or 64 pixels. Raises `BadOption` for pictures of less than 8 pixels.

    * `recipe`, `settings`: those to fit.
    * `data`: the pictures.
    * `out`: a folder that is none of theirs.
    * `chosen`: the settings that a user has chosen, which stay as they are, as do those that the recipe names.
    """
    if not registry().card(RestorerCard, recipe.method.name).whole or "data" in recipe.training:
        return recipe, settings
    chosen = {*chosen, *recipe.training}
    pairs = pairs_in(data, without=out)
    looked_at = [pairs[place].clean for place in range(0, len(pairs), max(1, len(pairs) // LOOKED_AT))]
    sizes = [read_size(source) for source in looked_at]
    side = min(LARGEST, *(min(size) for size in sizes))
    if side < SMALLEST:
        raise BadOption(f"{data} holds pictures of {side} pixels; at least {SMALLEST} are needed")
    grey = all(read_levels(source).shape[2] == 1 for source in looked_at[:: max(1, len(looked_at) // 20)])
    if "patch" not in chosen:
        settings = replace(settings, patch=side)
    if grey:
        recipe = replace(recipe, channels=GREY)
    log.info("%s: patches of %dx%d, %s", data.name, settings.patch, settings.patch, "grey" if grey else "in colour")
    if "patch" not in chosen and len({*sizes, (side, side)}) > 1:
        log.info("the pictures are not all of this size; --patch sets another one")
    return recipe, settings
