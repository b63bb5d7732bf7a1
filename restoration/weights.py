"""Which weights are meant: by a path, a card's name, `owner/name[@revision]` on the Hub, or a method and a task."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from restoration.errors import BadWeights, UnknownName, nearest_path
from restoration.foreign.conversion import folder_of
from restoration.hub import current_terms, is_repository, pull
from restoration.recipe import default_recipe
from restoration.registry import registry
from restoration.registry.cards import RestorerCard, ScheduleCard, TaskCard, WeightsCard
from restoration.weights_folder import CARD, CONFIG, FILES, MODEL, Folder, check, load, save

if TYPE_CHECKING:
    from restoration.recipe import Recipe

__all__ = [
    "CARD",
    "CONFIG",
    "FILES",
    "MODEL",
    "Folder",
    "bundled",
    "check",
    "load",
    "method_of",
    "permitted",
    "recipe_with_prior",
    "resolve",
    "save",
]

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".pkl", ".h5", ".onnx", ".json")
"""Names that end so are those of files, not of repositories."""


def bundled(card: WeightsCard) -> Folder:
    """Return the folder of a card, which is inside a package of a plugin. The package itself is not imported."""
    package, _, inside = card.factory.partition(":")
    spec = find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        if (Path(folder) / inside / CONFIG).is_file():
            return Folder(path=Path(folder) / inside, origin=card.name, license=card.license)
    raise BadWeights(f"weights {card.name!r} are not where their plugin says, {card.factory}; install it again")


def resolve(name: str | None, method: str, task: str, *, offline: bool = False) -> Folder | None:
    """Find weights by a path, a card's name or `owner/name[@revision]` on the Hub, or the default of a method and task.

    A path is that of a folder, of a file of tensors or a recipe that has the other beside it, or of a file of tensors
    that others have written, which is converted, see `restoration.foreign`.

    Returns None for a method that needs no weights. Raises `UnknownName` or `BadWeights`, with what there is, also for
    weights that do not fulfil the terms that hold, see `restoration.hub.terms`.
    """
    terms = current_terms()
    folder = _find(name if name is None else terms.pinned(name), method, task, offline)
    return folder and permitted(folder)


def method_of(folder: Folder) -> str:
    """Return the method that weights are for: of several with the same weights, the one whose card was named."""
    card = next((one for one in registry().cards(WeightsCard) if one.name == folder.origin), None)
    return card.method if card else folder.recipe().method.name


def permitted(folder: Folder) -> Folder:
    """Return a folder if its weights fulfil the terms that hold, see `restoration.hub.terms`. Raises `BadWeights`."""
    current_terms().check(folder.origin, folder.stated_license, folder.files())
    return folder


def _find(name: str | None, method: str, task: str, offline: bool) -> Folder | None:
    """Do what `resolve` does, but for the terms."""
    if name is None:
        return _default(method, task)
    path = Path(name).expanduser()
    if name and path.is_dir():
        return Folder(path=path, origin=str(path))
    if name and path.exists():
        return _beside(path, task)
    cards = {card.name: card for card in registry().cards(WeightsCard)}
    if name in cards:
        return bundled(cards[name])
    if name.startswith((".", "/", "~")) or name.lower().endswith(SUFFIXES):
        near = nearest_path(path)
        raise BadWeights(f"{name}: there is no such file or folder{near and f'; did you mean {near}?'}")
    if is_repository(name):
        about = {"method": method, "task": task}
        path = pull(name, offline=offline, known=cards, about={key: value for key, value in about.items() if value})
        return Folder(path=path, origin=f"{name.partition('@')[0]}@{path.name}")
    raise registry().unknown(WeightsCard, name)


def _beside(path: Path, task: str) -> Folder:
    """Return the folder of weights that a file belongs to, or is converted to. Raises `BadWeights`."""
    if path.name == CONFIG:
        return Folder(path=path.parent, origin=str(path.parent))
    if path.suffix.lower() == ".safetensors" and (path.parent / CONFIG).is_file():
        return Folder(path=path.parent, origin=str(path), model=path.name)
    return Folder(path=folder_of(path, task), origin=str(path))


def _default(method: str, task: str) -> Folder | None:
    """Return the weights that came for a method and task, None for a method without. Raises `BadWeights`."""
    card = registry().card(RestorerCard, method)
    if not card.needs_weights:
        return None
    registry().card(TaskCard, task)
    if card.prior:
        return bundled(_prior(card))
    of_method = [weights for weights in registry().arrived(WeightsCard) if weights.method == method]
    for weights in sorted(of_method, key=lambda one: one.realism is not None):  # what draws has to be asked for
        if weights.task == task and weights.default:
            return bundled(weights)
    if named := [weights.name for weights in of_method if weights.task == task]:
        raise BadWeights(
            f"no weights are the default for {method} and {task}, since they are of one kind of picture; "
            f"name some with --weights: {', '.join(named)}, or your own"
        )
    have = ", ".join(sorted({weights.task for weights in of_method}))
    raise BadWeights(
        f"no weights came for {method} and {task}{have and f', only for {have}'}; "
        f"train some with `restore train {method} --task {task} --data DIR --out DIR` and name them with --weights"
    )


def _prior(card: RestorerCard) -> WeightsCard:
    """Return the weights that are the prior of a method by default. Raises `BadWeights`."""
    try:
        return registry().card(WeightsCard, card.prior)
    except UnknownName as error:
        raise BadWeights(f"the prior of {card.name}: {error}; or name other weights with --weights") from error


def recipe_with_prior(folder: Folder, method: str, task: str) -> Recipe:
    """Return the recipe of a method and task with the network of a folder of weights for any others, as its prior.

    Raises `BadWeights` for a network that needs the degraded picture of its own task.
    """
    recipe, own = folder.recipe(), default_recipe(method, task)
    if recipe.schedule is None or registry().card(ScheduleCard, recipe.schedule.name).uses_y:
        known = registry().card(RestorerCard, method).prior
        raise BadWeights(
            f"{folder.origin} is no prior for {method}: it is for pictures with the damage of {recipe.task.name}, and "
            f"no schedule of noise alone; {known} is one"
        )
    kept = recipe.method if recipe.method.name == method else own.method
    return replace(recipe, method=kept, task=own.task, sampler=own.sampler, realism=None, mean="")
