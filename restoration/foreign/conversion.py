"""A file of tensors made a folder of weights: its recipe, its tensors as safetensors, and a card with its source."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from restoration.errors import BadWeights
from restoration.foreign.cache import kept
from restoration.foreign.reading import read_tensors, sha256_of
from restoration.interfaces import EnlargingTask
from restoration.recipe import Part, Recipe, default_recipe, required
from restoration.registry import registry
from restoration.registry.cards import RestorerCard, TaskCard
from restoration.tasks import make_task

if TYPE_CHECKING:
    from restoration.layouts import Converted

log = logging.getLogger("restoration")

UNCLEAR = "tasks"
"""The entry of a recipe's record that names the tasks of a file that may be for any of them."""


@dataclass(frozen=True, kw_only=True)
class Files:
    """The three files of a folder of weights, and the recipe among them."""

    recipe: Recipe
    model: bytes
    card: str

    def write(self, folder: Path) -> None:
        """Write them into a folder that is there. Raises `RestorationError`."""
        from restoration.images.files import write_together

        config = self.recipe.to_json().encode()
        names = {"model.safetensors": self.model, "config.json": config, "README.md": self.card.encode()}
        write_together({folder / name: data for name, data in names.items()})


def folder_of(path: Path, task: str = "") -> Path:
    """Return the folder of the cache that a file is converted to, for a task if its own is not clear.

    Raises `BadWeights` for a file that is not recognised, or would run code.
    """
    sha256 = sha256_of(path)

    def make(folder: Path) -> None:
        convert(path, task, sha256).write(folder)

    return kept(sha256, f"{path.suffix.lower()} {task}", make)


def convert(path: Path, task: str = "", sha256: str = "") -> Files:
    """Convert a file, for a task if its own is not clear. Raises `BadWeights`.

    The tensors hold a copy of the recipe, which then cannot be changed, unless some of it is assumed.
    """
    from safetensors.torch import save as serialise

    from restoration.foreign.recognition import recognise

    layout, found = recognise(read_tensors(path), path)
    record: dict[str, Any] = {"file": path.name, "sha256": sha256 or sha256_of(path), "layout": layout}
    if found.license:
        record["license"] = found.license
    if found.size:
        record["patch"] = found.size
    if found.assumed:
        record["assumed"] = list(found.assumed)
    chosen = _task(found, task)
    possible = found.tasks or _any_task(found)
    if found.tasks and chosen not in found.tasks:
        log.warning(
            "%s is %s, for %s; it is taken for %s, as asked", path.name, found.title, " or ".join(found.tasks), chosen
        )
    if len(possible) > 1 and chosen != task:
        record[UNCLEAR] = list(possible)
    recipe = _recipe(found, chosen, record)
    tensors = {name: value.detach().contiguous() for name, value in found.tensors.items()}
    metadata = None if found.assumed else {"trained": json.dumps(recipe.trained())}
    return Files(recipe=recipe, model=serialise(tensors, metadata=metadata), card=_card(found, recipe))


def unclear(recipe: Recipe) -> list[str]:
    """Return the tasks that a converted file may be for, where neither it nor the user says which; [] if clear."""
    return list(recipe.training.get(UNCLEAR, []))


def _task(found: Converted, asked: str) -> str:
    """Return the task of a file: the one asked for if it may be that, else its likeliest."""
    possible = found.tasks or _any_task(found)
    if not possible:
        raise BadWeights(f"it is {found.title}, and no task is installed; see `restore tasks`")
    if asked in possible:
        return asked
    of_method = registry().card(RestorerCard, found.method.name).tasks
    known = {card.name for card in registry().cards(TaskCard)}
    free = asked in known and not (_enlarges(asked) or _enlarges(possible[0])) and asked in (of_method or known)
    return asked if free else possible[0]


def _any_task(found: Converted) -> tuple[str, ...]:
    """Return the tasks that keep the size of a picture: a file of which nothing is known may be for any."""
    names = registry().card(RestorerCard, found.method.name).tasks or [card.name for card in registry().cards(TaskCard)]
    return tuple(name for name in names if not _enlarges(name))


def _enlarges(task: str) -> bool:
    return isinstance(make_task(task), EnlargingTask)


def _recipe(found: Converted, task: str, record: dict[str, Any]) -> Recipe:
    """Return the recipe of a file for a task: what its layout found, and else the defaults of the method."""
    own = default_recipe(found.method.name, task)
    recipe = replace(
        own,
        method=Part(found.method.name, {**own.method.options, **found.method.options}),
        task=Part(task, dict(found.task_options) if task in found.tasks else {}),
        network=found.network,
        schedule=found.schedule or own.schedule,
        objective=found.objective or own.objective,
        sampler=found.sampler or own.sampler,
        channels=found.channels,
        working_size=0,
        training=record,
    )
    recipe = replace(recipe, **found.for_tasks.get(task, {}))
    return replace(recipe, requires=required(recipe))


def _card(found: Converted, recipe: Recipe) -> str:
    """Return the README of a folder: what its tensors are, and where they come from."""
    from huggingface_hub import ModelCardData

    method, task, record = recipe.method.name, recipe.task.name, recipe.training
    tags = ["restoration", "image-restoration", method, task]
    data = ModelCardData(
        license=found.license or None, library_name="restoration", pipeline_tag="image-to-image", tags=tags
    )
    source = f" Source: {found.source}." if found.source else ""
    known = f"`{found.license}`" if found.license else "Not known from the file: that of its authors holds."
    possible = ", ".join(unclear(recipe))
    doubt = f"\n\nThe file does not say what it restores: {possible}, for example." if possible else ""
    if found.assumed:
        doubt += (
            f"\n\nAssumed, since the file does not say it: {', '.join(found.assumed)}. `config.json` may be changed."
        )
    return (
        f"---\n{data.to_yaml()}\n---\n\n# {found.title}\n\n"
        f"Image restoration with the method `{method}` for the task `{task}`. The weights are those of the file "
        f"`{record['file']}`, number by number, under the names that `restoration` has for them.{source}{doubt}\n\n"
        f"SHA-256 of the file: `{record['sha256']}`\n\n"
        f"## Usage\n\n```\npip install {' '.join(one.partition('>=')[0] for one in recipe.requires)}\n"
        f"restore run --weights DIR picture.png\n```\n\n## License\n\n{known}\n"
    )
