"""Realism: how much of one likely picture is mixed into the mean of all of them, `mean + s (sample - mean)`.

The mean has the least error and is blurred; a picture that is drawn looks real and is further from the truth. Between
the two, the least error at each distance between the distributions of results and of clean pictures is reached on a
straight line (Freirich, Michaeli and Meir, "A theory of the distortion-perception tradeoff in Wasserstein space",
NeurIPS 2021, arXiv:2107.02555).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from restoration import weights as folders
from restoration.errors import BadOption, BadWeights
from restoration.recipe import Recipe, default_recipe
from restoration.registry import registry
from restoration.registry.cards import RestorerCard, WeightsCard

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.weights import Folder


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What restores.

    * `folder`, `recipe`: the weights of the method, None for one without, and their recipe, or the method's own.
    * `realism`: from 0 to 1; None for a method that has no such choice.
    * `draws`: whether results differ from seed to seed; None if that is for the sampler to say.
    * `mean`: the weights of the mean, None where it has no part.
    """

    folder: Folder | None
    recipe: Recipe
    realism: float | None = None
    draws: bool | None = False
    mean: Folder | None = None


def choose(
    method: str, task: str, *, weights: str | None = None, realism: float | None = None, offline: bool = False
) -> Choice:
    """Choose the weights that a method needs for a task and a realism. Raises `BadOption` or `BadWeights`.

    Weights whose recipe has a `realism` draw: they serve every realism, together with those of the mean. Others are
    their own answer, at 0. Of those that came with plugins the cards say which they are.

    * `method`, `task`: their names.
    * `weights`: a path, the name of a card or `owner/name[@revision]` on the Hub; None for the default.
    * `realism`: from 0 to 1; None for that of the weights.
    * `offline`: whether weights on the Hub must be in its cache.
    """
    card = registry().card(RestorerCard, method)
    wanted = parse_realism(realism)
    if not card.mean:
        if wanted is not None:
            able = ", ".join(sorted(one.name for one in registry().cards(RestorerCard) if one.mean))
            raise BadOption(f"method {method!r} has no --realism{able and f'; {able} have'}")
        folder = folders.resolve(weights, method, task, offline=offline)
        return Choice(folder=folder, recipe=recipe_for(folder, method, task), draws=card.draws)
    if weights is None and card.needs_weights:
        weights, wanted = _by_default(card, task, wanted)
    folder = folders.resolve(weights, method, task, offline=offline)
    recipe = recipe_for(folder, method, task)
    usual = 1.0 if folder is None else recipe.realism
    if usual is None:
        if wanted:
            raise BadWeights(
                f"{folder and folder.origin} does not draw, so it has realism 0 alone; {_advice(card, task)}"
            )
        return Choice(folder=folder, recipe=recipe, realism=0.0)
    strength = usual if wanted is None else wanted
    mean = None if strength == 1 and not recipe.from_mean else mean_of(folder, recipe, task, offline=offline)
    return Choice(folder=folder, recipe=recipe, realism=strength, draws=strength > 0 and card.draws, mean=mean)


def parse_realism(realism: Any) -> float | None:
    """Return a realism as a number, None for none. Raises `BadOption` for anything that is not from 0 to 1."""
    if realism is None:
        return None
    if isinstance(realism, bool) or not isinstance(realism, int | float) or not 0 <= realism <= 1:
        raise BadOption(f"realism is a number from 0, the mean, to 1, a picture that is drawn, not {realism!r}")
    return float(realism)


def recipe_for(folder: Folder | None, method: str, task: str) -> Recipe:
    """Return the recipe of weights, or the method's own; its method and task must be those asked for.

    Raises `BadWeights`.
    """
    if folder is None:
        return default_recipe(method, task)
    card = registry().card(RestorerCard, method)
    if card.prior:
        return folders.recipe_with_prior(folder, method, task)
    recipe = folder.recipe()
    twins = {one.name for one in registry().cards(RestorerCard) if one.factory == card.factory}
    if recipe.method.name in twins - {method}:
        own = default_recipe(method, task)  # another way to sample with the same network
        recipe = replace(recipe, method=own.method, sampler=own.sampler)
    if (recipe.method.name, recipe.task.name) != (method, task):
        made = f"--method {recipe.method.name} --task {recipe.task.name}"
        raise BadWeights(f"{folder.origin} holds weights for {made}; ask for these, or name others")
    return recipe


def mix(mean: Tensor, sample: Tensor, realism: float) -> Tensor:
    """Return `mean + realism (sample - mean)`, of pictures `b c h w`."""
    return mean.lerp(sample.to(mean), realism)


def _by_default(card: RestorerCard, task: str, realism: float | None) -> tuple[str | None, float | None]:
    """Return which weights serve a realism, None for those that come first anyway, and the realism if it was none.

    Raises `BadWeights` where no weights draw.
    """
    known = [one for one in registry().arrived(WeightsCard) if one.method == card.name and one.default]
    drawing = [one for one in known if one.realism is not None]
    here = next((one for one in drawing if one.task == task), None)
    if here is None:
        if realism and (not card.tasks or task in card.tasks):
            have = ", ".join(sorted(one.task for one in drawing))
            raise BadWeights(
                f"no weights of {card.name} draw pictures for {task}{have and f', only for {have}'}: it has realism 0 "
                f"alone; {_advice(card, task)}"
            )
        return None, realism
    realism = here.realism if realism is None else realism
    other = any(one.task == task and one.realism is None for one in known)
    return (here.name if realism or not other else None), realism


def _resolved(name: str | None, card: RestorerCard, task: str, *, offline: bool) -> Folder | None:
    """Return the weights of the mean by their name, or those that came with its method. Raises `BadWeights`."""
    if name is None and not any(one.default for one in registry().arrived(WeightsCard) if _answers(one, card, task)):
        raise BadWeights(
            f"no weights of {card.mean}, the mean of what {card.name} draws, came for {task}; train some: "
            f"`restore train {card.mean} --task {task} --data DIR --out OUT/mean`, and give `--mean ./mean` to the "
            "training into OUT"
        )
    return folders.resolve(name, card.mean, task, offline=offline)


def _answers(weights: WeightsCard, card: RestorerCard, task: str) -> bool:
    return (weights.method, weights.task) == (card.mean, task)


def _advice(card: RestorerCard, task: str) -> str:
    """Say how weights that draw are made."""
    how = f"{card.draws_with} --keep last --realism 0.5".strip()
    return f"train some: `restore train {card.name} --task {task} {how} --data DIR --out DIR`, for --weights"


def mean_of(folder: Folder | None, recipe: Recipe, task: str, *, offline: bool = False) -> Folder:
    """Return the weights of the mean: those that a recipe names, or the default of the method that its card names.

    A name that begins with a dot is a path as seen from the folder. Raises `BadWeights`.
    """
    card = registry().card(RestorerCard, recipe.method.name)
    name = recipe.mean or None
    bundled = next((one for one in registry().cards(WeightsCard) if one.name == name), None)
    if folder is not None and name is not None and name.startswith("."):
        name = str(folder.path / name)
        if not os.path.exists(name):
            raise BadWeights(f"{name}: there is no such folder, with the weights of the mean; put them there")
    if bundled is not None:
        found: Folder | None = folders.permitted(folders.bundled(bundled))
    else:
        found = _resolved(name, card, task, offline=offline)
    if found is None:
        raise BadWeights(f"{card.mean}, the mean of what {card.name} draws, has no weights; name some as `mean`")
    if (other := found.recipe().task.name) != task:
        raise BadWeights(f"{found.origin}, the mean of what {card.name} draws, is for {other}, not {task}")
    return found
