"""Folders of weights: `config.json` (the recipe), `model.safetensors`, `README.md` (the model card).

A folder with these files may be bundled in a plugin, the result of a training, a path, or a repository on the Hugging
Face Hub.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.errors import BadWeights, did_you_mean
from restoration.recipe import Recipe
from restoration.registry import registry
from restoration.registry.cards import RestorerCard, TaskCard, WeightsCard

if TYPE_CHECKING:
    from torch import Tensor, nn

CONFIG, MODEL, CARD = "config.json", "model.safetensors", "README.md"
"""The files of a folder of weights: the recipe, the tensors and the model card."""
FILES = (CONFIG, MODEL, CARD)


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder of weights on this disk, and its origin: the name of a card, a path, or `owner/name@commit`."""

    path: Path
    origin: str

    def recipe(self) -> Recipe:
        """Read its recipe. Raises `BadWeights`."""
        path = self.path / CONFIG
        try:
            return Recipe.from_json(path.read_bytes(), path)
        except OSError as error:
            raise BadWeights(f"{path}: {error.strerror}; a folder of weights holds {', '.join(FILES)}") from error

    def size(self) -> int:
        """Return the bytes of its `model.safetensors`."""
        return (self.path / MODEL).stat().st_size


def bundled(card: WeightsCard) -> Folder:
    """Return the folder of a card, which is inside a package of a plugin. The package itself is not imported."""
    package, _, inside = card.factory.partition(":")
    spec = find_spec(package)
    folders = (spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        if (Path(folder) / inside / CONFIG).is_file():
            return Folder(path=Path(folder) / inside, origin=card.name)
    raise BadWeights(f"weights {card.name!r} are not where their plugin says, {card.factory}; install it again")


def resolve(name: str | None, method: str, task: str, *, offline: bool = False) -> Folder | None:
    """Find weights by a path, a card's name or `owner/name[@revision]` on the Hub, or the default of a method and task.

    Returns None for a method that needs no weights. Raises `UnknownName` or `BadWeights`, with what there is.
    """
    if name is None:
        return _default(method, task)
    path = Path(name).expanduser()
    if path.is_dir():
        return Folder(path=path, origin=str(path))
    cards = {card.name: card for card in registry().cards(WeightsCard)}
    if name in cards:
        return bundled(cards[name])
    if re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*(@\S+)?", name, re.ASCII):
        return pull(name, offline=offline, known=list(cards), about={"method": method, "task": task})
    raise registry().unknown(WeightsCard, name)


def _default(method: str, task: str) -> Folder | None:
    card = registry().card(RestorerCard, method)
    if not card.needs_weights:
        return None
    registry().card(TaskCard, task)
    of_method = [weights for weights in registry().arrived(WeightsCard) if weights.method == method]
    for weights in of_method:
        if weights.task == task and weights.default:
            return bundled(weights)
    have = ", ".join(sorted({weights.task for weights in of_method}))
    raise BadWeights(
        f"no weights came for {method} and {task}{have and f', only for {have}'}; "
        f"train some with `restore train {method} --task {task} --data DIR --out DIR` and name them with --weights"
    )


def pull(name: str, *, offline: bool, known: list[str], about: Mapping[str, str]) -> Folder:
    """Fetch `owner/name[@revision]` from the Hugging Face Hub, or from its cache. Raises `BadWeights`."""
    from huggingface_hub import errors as hub
    from huggingface_hub import hf_hub_download

    from restoration.version import __version__

    repository, _, revision = name.partition("@")
    missing = registry().hint(repository.partition("/")[0])
    hint = did_you_mean(name, known) or (missing and f"; {missing}")
    fetch = partial(
        hf_hub_download,
        repository,
        revision=revision or None,
        library_name="restoration",
        library_version=__version__,
        user_agent=dict(about),
        local_files_only=offline,
    )
    try:
        config, _ = Path(fetch(CONFIG)), fetch(MODEL)
    except hub.RemoteEntryNotFoundError as error:
        raise BadWeights(f"{name} on the Hub is not a set of weights: it lacks {CONFIG} or {MODEL}") from error
    except hub.RevisionNotFoundError as error:
        raise BadWeights(f"{repository} on the Hub has no revision {revision!r}") from error
    except hub.GatedRepoError as error:
        raise BadWeights(f"{name} on the Hub is gated: ask for access on its page, then `hf auth login`") from error
    except hub.RepositoryNotFoundError as error:
        raise BadWeights(f"{name} is not on the Hub, or is private (then `hf auth login`){hint}") from error
    except hub.HfHubHTTPError as error:
        raise BadWeights(f"the Hub did not give {name}: {str(error).splitlines()[0]}") from error
    except (hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled, OSError) as error:
        why = "--offline was given" if offline else "the Hub cannot be reached"
        raise BadWeights(f"{name} is not in the Hub's cache on this machine, and {why}{hint}") from error
    return Folder(path=config.parent, origin=f"{repository}@{config.parent.name}")


def load(folder: Folder, network: nn.Module, recipe: Recipe, *, whole: bool = True) -> None:
    """Load the weights of a folder into a network. Raises `BadWeights` if they do not fit the recipe or are not finite.

    If `whole` is False, the network may have layers that the folder has no weights for; these are left unchanged.
    """
    from safetensors import SafetensorError, safe_open

    path = folder.path / MODEL
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BadWeights(f"{path} cannot be read: {error}") from error
    if "trained" in metadata:
        try:
            trained = json.loads(metadata["trained"])
        except ValueError as error:
            raise BadWeights(f"{path} does not say what it was trained with: {error}") from error
        _check_recipe(recipe.trained(), trained, folder.path / CONFIG)
    _check_tensors(state, network, path, whole)
    network.load_state_dict({name: value.float() for name, value in state.items()}, strict=whole)


def _check_recipe(now: dict[str, Any], trained: dict[str, Any], where: Path) -> None:
    """Refuse a recipe that differs from the one that the weights were trained with."""
    for name, value in _flatten(trained).items():
        other = _flatten(now).get(name)
        if other != value:
            raise BadWeights(
                f"{where} says {name} = {json.dumps(other)}, but its weights were trained with {json.dumps(value)}; "
                "put that back, or train again"
            )
    extra = sorted(_flatten(now).keys() - _flatten(trained).keys())
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
