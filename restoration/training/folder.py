"""The folder of a training: its own alone while it runs, and with nothing in it that is somebody else's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from restoration.errors import BadOption, BadWeights
from restoration.images import make_folder
from restoration.images.locks import locked
from restoration.training.checkpoint import first_difference, parts_of
from restoration.training.records import CHECKPOINT, CURVES, LOG, PREVIEW
from restoration.weights import CARD, CONFIG, MODEL, Folder

if TYPE_CHECKING:
    from restoration.recipe import Recipe
    from restoration.training.settings import Training

BEGINNING = b'{"step": '
"""How a log of a training begins, which is the first that it writes; a killed one may have written less."""


def check_apart(out: Path, inputs: Iterable[Path | None]) -> None:
    """Raise `BadOption` if results would lie among the pictures, as further ones."""
    for folder in inputs:
        with suppress(OSError):
            if folder is not None and os.path.samefile(out, folder):
                raise BadOption(f"{out} is the folder of the pictures; choose another --out, which may lie inside it")


@contextmanager
def claimed(out: Path, recipe: Recipe, settings: Training) -> Iterator[None]:
    """Make the folder, and let no other process train into it meanwhile.

    Raises `BadOption` where one does, or where files would be overwritten that are not of the same training.
    """
    new = not out.exists()
    make_folder(out)
    try:
        with locked(out, "another training"):
            _check_own(out, recipe, settings)
            yield
    finally:
        if new:
            with suppress(OSError):
                out.rmdir()  # which does nothing to one that holds something


def _check_own(out: Path, recipe: Recipe, settings: Training) -> None:
    """Raise `BadOption` if a training would overwrite what is not its own; a checkpoint is judged when it is read."""
    if (out / CHECKPOINT).exists():
        return
    if (out / CONFIG).exists():
        _check_weights(out, recipe, settings)
        return
    mine = {LOG, PREVIEW, CURVES, MODEL} if _is_log(out / LOG) else set()
    for name in (LOG, PREVIEW, CURVES, MODEL, CARD):
        if name not in mine and os.path.lexists(out / name):
            raise BadOption(f"{out / name} is not of this training, which would overwrite it; choose another --out")


def _check_weights(out: Path, recipe: Recipe, settings: Training) -> None:
    """Raise `BadOption` but for weights of the same training that was ended before it had a checkpoint."""
    try:
        there = Folder(path=out, origin=str(out)).recipe()
    except BadWeights as error:
        raise BadOption(
            f"{out / CONFIG} is not of this training, which would overwrite it; choose another --out"
        ) from error
    if "unfinished" not in there.training:
        raise BadOption(f"{out} holds weights already, and no checkpoint to go on from; choose another --out")
    if parts_of(there) != parts_of(recipe):
        what = first_difference(parts_of(there), parts_of(recipe))
        raise BadOption(f"{out} holds weights of another training, with another recipe: {what}; choose another --out")
    try:
        settings.changes_from(there.training)
    except BadOption as error:
        raise BadOption(f"{out} holds weights of another training: {error}; choose another --out") from error


def _is_log(path: Path) -> bool:
    """Return whether a file is the log of a training, of which perhaps not even a line was written."""
    try:
        with open(path, "rb") as file:
            begun = file.read(len(BEGINNING))
    except OSError:
        return False
    return BEGINNING.startswith(begun)
