"""How a search begins: what it searches is checked, and its folder is its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.documents import read_document
from restoration.errors import BadOption
from restoration.images import make_folder, write_bytes
from restoration.images.locks import locked
from restoration_tune.page import ranked
from restoration_tune.space import applied, check, read_space
from restoration_tune.trials import DONE, Row, Search

if TYPE_CHECKING:
    from restoration import Recipe, Training

RECORD = "search.json"
"""The file, beside the trials, that says what a search is, so that another one is not mixed with it."""


class OpenSearch(Search):
    """A search in its folder, into which results are written."""

    def keep(self, rows: Sequence[Row]) -> None:
        """Write the best recipe so far, if it is another than before."""
        done = [row for row in ranked(rows) if row.state == DONE]
        if not done:
            return
        from msgspec.structs import replace

        recipe, settings = applied(self.recipe, self.settings, done[0].chosen)
        text = replace(recipe, training=settings.record()).to_json()
        path = self.out / "best.json"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            self.write(path.name, text)

    def write(self, name: str, text: str) -> None:
        """Write a file of the search, whole or not at all."""
        write_bytes(text.encode(), self.out / name)


@contextmanager
def open_search(
    which: str,
    space_file: Path,
    data: Path,
    out: Path,
    validation: Path | None,
    fixed: dict[str, Any],
    how: dict[str, Any],
    *,
    device: str,
    threads: int | None,
) -> Iterator[OpenSearch]:
    """Begin a search, or go on with one, whose folder no other has meanwhile. Raises `BadOption`.

    * `which`: the recipe: a file, a folder or a name of weights.
    * `space_file`: what is searched.
    * `data`, `validation`: pictures to train and to validate with.
    * `out`: the folder.
    * `fixed`: options and settings of all trials.
    * `how`: what else belongs to this search, and must be the same where it goes on.
    * `device`, `threads`: what trials compute on.
    """
    space = read_space(space_file)
    clash = [name for name in fixed if name in space]
    if clash:
        raise BadOption(f"--set {clash[0]}: {space_file} searches it")
    if not data.exists():
        raise BadOption(f"{data}: there is no such folder")
    recipe, settings = _fitted(*applied(*_recipe(which), fixed), data, out, {*fixed, *space})
    check(space, recipe, settings)
    _check_validation(settings, validation, {*fixed, *space})
    record = {
        **how,
        "recipe": json.loads(recipe.to_json()),
        "settings": settings.record(),
        "space": {name: asdict(one) for name, one in space.items()},
        "data": data.name,
        "validation": validation and validation.name,
    }
    make_folder(out)
    with locked(out, "another search"):
        _claim(out, record)
        yield OpenSearch(
            recipe=recipe,
            settings=settings,
            space=space,
            data=data.resolve(),  # which is the same in the processes of Ray
            out=out.resolve(),
            validation=validation and validation.resolve(),
            device=device,
            threads=threads,
        )


def _fitted(recipe: Recipe, settings: Training, data: Path, out: Path, named: set[str]) -> tuple[Recipe, Training]:
    """Return a recipe and settings that suit the pictures, as `restore train` has them, without a record of before."""
    from msgspec.structs import replace

    from restoration import fit_to_pictures

    chosen = {name.removeprefix("training.") for name in named if name.startswith("training.")}
    recipe, settings = fit_to_pictures(recipe, settings, data, out, chosen)
    return replace(recipe, training={}, requires=[]), settings


def _check_validation(settings: Training, validation: Path | None, named: set[str]) -> None:
    """Raise `BadOption` where no trial could be told from another, or pictures are held out for nothing."""
    if validation is None and not settings.held_out:
        raise BadOption("trials are compared by validation: name --validation DIR, or --set training.held_out=8")
    if validation is not None and "training.held_out" in named:
        raise BadOption("--validation takes the place of training.held_out; leave out one of them")


def _recipe(which: str) -> tuple[Recipe, Training]:
    """Return a recipe and the settings of its training."""
    from restoration import Recipe, Training, resolve

    path = Path(which)
    if path.is_file():
        try:
            recipe = Recipe.from_json(read_document(path), path)
        except OSError as error:
            raise BadOption(f"{path}: {error.strerror}") from error
    else:
        folder = resolve(which, "", "")
        if folder is None:
            raise BadOption(f"{which}: no file, folder or set of weights is called that; see `restore weights list`")
        recipe = folder.recipe()
    return recipe, Training.recorded(recipe.training)


def _claim(out: Path, record: dict[str, Any]) -> None:
    """Write what a search is. Raises `BadOption` where the folder holds another, or other files."""
    path, text = out / RECORD, json.dumps(record, indent=2, sort_keys=True) + "\n"
    try:
        before = path.read_text(encoding="utf-8")
    except OSError:
        if any(out.iterdir()):
            raise BadOption(f"{out} is not empty, and holds no search; choose another --out") from None
        write_bytes(text.encode(), path)
        return
    different = before != text and _different(before, json.loads(text))
    if different:
        raise BadOption(f"{out} holds another search, of another {' and '.join(different)}; choose another --out")


def _different(before: str, record: dict[str, Any]) -> list[str]:
    """Return the parts in which the record of a search is not that of another, such as a damaged one."""
    from restoration import Training

    try:
        old = json.loads(before)
        old["settings"] = Training.recorded(old["settings"]).record()  # an older version had fewer of them
    except (ValueError, TypeError, KeyError, BadOption):
        return ["record"]
    return [name for name in record if old.get(name) != record[name]]
