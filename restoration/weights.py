"""Folders of weights: `config.json` (the recipe), `model.safetensors`, `README.md` (the model card).

A folder with these files may be bundled in a plugin, the result of a training, a path, or a repository on the Hugging
Face Hub.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from restoration.documents import read_document
from restoration.errors import BadWeights, UnknownName, nearest_path
from restoration.foreign.conversion import folder_of
from restoration.hub import current_terms, is_repository, pull, repository
from restoration.hub.header import license_of
from restoration.recipe import Recipe, default_recipe
from restoration.registry import registry
from restoration.registry.cards import RestorerCard, ScheduleCard, TaskCard, WeightsCard

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger("restoration")

CONFIG, MODEL, CARD = repository.CONFIG, repository.MODEL, repository.CARD
FILES = (CONFIG, MODEL, CARD)
"""The files of a folder of weights: the recipe, the tensors and the model card."""
MOST_TENSORS = 10_000
"""Tensors that a network may have; the largest of all have a few thousand."""
SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".pkl", ".h5", ".onnx", ".json")
"""Names that end so are those of files, not of repositories."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder of weights on this disk, and its origin: the name of a card, a path, or `owner/name@commit`.

    `model` is the name of the file of tensors, `license` what a plugin's card states where the model card does not.
    """

    path: Path
    origin: str
    model: str = MODEL
    license: str = ""

    def recipe(self) -> Recipe:
        """Read its recipe. Raises `BadWeights`."""
        path = self.path / CONFIG
        try:
            return Recipe.from_json(read_document(path), path)
        except OSError as error:
            raise BadWeights(f"{path}: {error.strerror}; a folder of weights holds {', '.join(FILES)}") from error

    def card(self) -> str:
        """Return its model card, "" if it has none. Raises `BadWeights`."""
        path = self.path / CARD
        try:
            return read_document(path).decode(errors="replace") if path.exists() else ""
        except OSError as error:
            raise BadWeights(f"{path}: {error.strerror}") from error

    def stated_license(self) -> str:
        """Return the licence that its model card states, "" if none. Raises `BadWeights`."""
        return license_of(self.card()) or self.license.lower()

    def files(self) -> dict[str, Path]:
        """Return the recipe and the tensors, by their names in a repository."""
        return {CONFIG: self.path / CONFIG, MODEL: self.path / self.model}

    def size(self) -> int:
        """Return the bytes of its file of tensors. Raises `OSError`."""
        return (self.path / self.model).stat().st_size


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


def check(folder: Folder, recipe: Recipe) -> None:
    """Compare a recipe with what its weights were trained with, before anything is built. Raises `BadWeights`."""
    with _opened(folder) as file:
        metadata, names = file.metadata() or {}, file.keys()
    path = folder.path / folder.model
    if len(names) > MOST_TENSORS:
        raise BadWeights(f"{path} holds {len(names)} tensors; no network has so many")
    if "trained" in metadata:
        try:
            trained = json.loads(metadata["trained"])
            _check_recipe(recipe.trained(), trained, folder.path / CONFIG)
        except (ValueError, RecursionError) as error:
            raise BadWeights(f"{path} does not say what it was trained with: {error}") from error


def load(folder: Folder, network: nn.Module, recipe: Recipe, *, whole: bool = True) -> None:
    """Load the weights of a folder into a network. Raises `BadWeights` if they do not fit the recipe or are not finite.

    If `whole` is False, the network may have layers that the folder has no weights for; these are left unchanged.
    """
    check(folder, recipe)
    with _opened(folder) as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    _check_tensors(state, network, folder.path / folder.model, whole)
    network.load_state_dict({name: value.float() for name, value in state.items()}, strict=whole)


@contextmanager
def _opened(folder: Folder) -> Iterator[Any]:
    """Open the file of tensors. Raises `BadWeights`."""
    from safetensors import SafetensorError, safe_open

    path = folder.path / folder.model
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise BadWeights(f"{path} cannot be read: {error}") from error


def _check_recipe(now: dict[str, Any], trained: Any, where: Path) -> None:
    """Refuse a recipe that differs from the one that the weights were trained with."""
    mine, theirs = _flatten(now), _flatten(trained)
    for name, value in theirs.items():
        other = mine.get(name)
        if other != value:
            raise BadWeights(
                f"{where} says {name} = {json.dumps(other)}, but its weights were trained with {json.dumps(value)}; "
                "put that back, or train again"
            )
    extra = sorted(mine.keys() - theirs.keys())
    if extra:
        raise BadWeights(
            f"{where} sets {extra[0]}, which its weights were not trained with; take it out, or train again"
        )


def _flatten(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {prefix: tree}
    return {k: v for name, branch in tree.items() for k, v in _flatten(branch, f"{prefix}.{name}".lstrip(".")).items()}


def _check_tensors(state: dict[str, Tensor], network: nn.Module, path: Path, whole: bool) -> None:
    """Check the names and shapes of the tensors, and that all numbers are finite."""
    wanted = network.state_dict()
    for name in sorted(wanted.keys() | state.keys() if whole else state.keys()):
        if name not in state:
            raise BadWeights(f"{path} lacks {name}: it belongs to another network")
        if name not in wanted:
            raise BadWeights(f"{path} has {name}, which the network of its recipe does not: it belongs to another")
        if state[name].shape != wanted[name].shape:
            shapes = f"{list(state[name].shape)}, not {list(wanted[name].shape)}"
            raise BadWeights(f"{path}: {name} has the shape {shapes}: it belongs to another network")
        if not state[name].is_floating_point() and wanted[name].is_floating_point():
            raise BadWeights(f"{path}: {name} holds {str(state[name].dtype)[6:]}: it belongs to another network")
        if not math.isfinite(float(state[name].float().sum())):
            raise BadWeights(f"{path}: {name} holds numbers that are not finite; fetch or train these weights again")


def save(path: Path, recipe: Recipe, network: nn.Module, card: str) -> Folder:
    """Write a folder of weights in half precision: each file is whole, and the recipe never without its weights."""
    from safetensors.torch import save as serialise

    from restoration.images import make_folder
    from restoration.images.files import write_together

    make_folder(path)
    state = {name: _to_half(value) for name, value in network.state_dict().items()}
    metadata = {"trained": json.dumps(recipe.trained())}  # one entry: with two, the bytes differ from run to run
    model = serialise(state, metadata=metadata)
    write_together({path / MODEL: model, path / CONFIG: recipe.to_json().encode(), path / CARD: card.encode()})
    return Folder(path=path, origin=str(path))


def _to_half(value: Tensor) -> Tensor:
    """Return a tensor in half precision, unless it is of integers, such as counts, or has values out of its range."""
    import torch

    value = value.detach().to("cpu", copy=True).contiguous()
    half = value.half()
    return half if value.is_floating_point() and bool(torch.isfinite(half).all()) else value
