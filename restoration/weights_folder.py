"""A folder of weights: `config.json` (the recipe), `model.safetensors`, `README.md` (the model card).

It may be bundled in a plugin, the result of a training, a path, or a repository on the Hugging Face Hub; which one is
meant by a name, `restoration.weights` finds out. Here it is read, checked and written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.config import MOST_TENSORS, Recipe
from restoration.documents import read_document
from restoration.errors import BadWeights
from restoration.hub import repository
from restoration.hub.header import license_of

if TYPE_CHECKING:
    from torch import Tensor, nn

CONFIG, MODEL, CARD = repository.CONFIG, repository.MODEL, repository.CARD
FILES = (CONFIG, MODEL, CARD)
"""The files of a folder of weights: the recipe, the tensors and the model card."""


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
    """Return the leaves of nested dicts by their paths: `{"network.options.width": 16}`."""
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
