"""The file that a training goes on from, `checkpoint.pt`: all that the next step depends on, and what it belongs to."""

from __future__ import annotations

import io
import json
import logging
import pickle
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from restoration.errors import BadOption, RestorationError
from restoration.images import make_folder, write_bytes

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.recipe import Recipe
    from restoration.training.settings import Training

log = logging.getLogger("restoration")

FORMAT = 2
"""Number of the layout; with another one the patches of a step are others too."""


def read(path: Path) -> bytes | None:
    """Return a checkpoint as it lies there, None if there is none; its folder is made. Raises `RestorationError`."""
    make_folder(path.parent)
    try:
        return path.read_bytes() if path.exists() else None
    except OSError as error:
        raise RestorationError(f"cannot read {path}: {error.strerror}") from error


def load(data: bytes, path: Path) -> dict[str, Any]:
    """Return the state that a checkpoint holds; plain data and tensors only. Raises `RestorationError`."""
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise RestorationError(
            f"{path} is damaged, or not of a training; choose another --out, or delete it to begin again"
        ) from error
    if not isinstance(state, dict):
        raise RestorationError(f"{path} is not of a training with restoration; choose another --out")
    return state


def write(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint: it is whole, or the one before is still there. Raises `RestorationError`."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(buffer.getvalue(), path)


def header(recipe: Recipe, settings: Training, pictures: str) -> dict[str, Any]:
    """Return what says which training a checkpoint belongs to, as plain data; `pictures` is their fingerprint."""
    return {"format": FORMAT, "recipe": parts_of(recipe), "settings": settings.record(), "pictures": pictures}


def parts_of(recipe: Recipe) -> dict[str, Any]:
    """Return the parts of a recipe that a training cannot change, as plain data."""
    plain = msgspec.to_builtins(recipe)
    return {name: plain.get(name) for name in ("method", "task", *recipe.trained())}


def first_difference(before: Any, now: Any, name: str = "") -> str:
    """Return the first value that differs between two trees of plain data, in words."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key):
                return first_difference(before.get(key), now.get(key), f"{name}.{key}".lstrip("."))
    short = [textwrap.shorten(json.dumps(value), 60, placeholder=" ...") for value in (before, now)]
    return f"{name.replace('.options.', '.')} is {short[0]} there, and {short[1]} here"


def check(state: dict[str, Any], now: dict[str, Any], settings: Training, path: Path) -> None:
    """Raise `BadOption` if a checkpoint is of another training than `now`, a header; log what else has changed.

    Nothing may have changed since a training was finished: its record would tell of what it never did.
    """
    if state.get("format") != FORMAT:
        raise BadOption(
            f"{path} was written by another version of restoration, or by another program; choose another --out"
        )
    if state["recipe"] != now["recipe"]:
        what = first_difference(state["recipe"], now["recipe"])
        raise BadOption(f"{path} is of another training, with another recipe: {what}; choose another --out")
    try:
        changed = settings.changes_from(state["settings"])
    except BadOption as error:
        raise BadOption(f"{path} is of another training: {error}; choose another --out") from error
    step = state["trainer"]["step"]
    if step > settings.steps:
        raise BadOption(f"{path} is {step} steps into its training already; ask for more --steps, or another --out")
    others = [f"--{name.replace('_', '-')} {now['settings'][name]}" for name in changed]
    others += ["other pictures"] * (state["pictures"] != now["pictures"])
    if step == settings.steps and others:
        raise BadOption(
            f"{path} is of a finished training, which did not have {', '.join(others)}; ask for more --steps to go on "
            "with that, or choose another --out"
        )
    if changed:
        words = ", ".join(f"{name} {now['settings'][name]} instead of {old}" for name, old in changed.items())
        log.info("%s goes on from step %d with %s", path, step, words)
    if state["pictures"] != now["pictures"]:
        log.info("%s goes on with other pictures than those that it began with", path)


def changes(state: dict[str, Any], settings: Training, pictures: str) -> list[dict[str, Any]]:
    """Return what was changed in the course of a training: the `step` of each time, and the old values.

    These are settings and, where the fingerprint of the `pictures` is another, what was recorded about the data.
    """
    changed = settings.changes_from(state["settings"])
    if state["pictures"] != pictures:
        changed |= {name: value for name, value in state.get("facts", {}).items() if name in ("data", "pictures")}
    return [*state["changes"], *([{"step": state["trainer"]["step"], **changed}] if changed else [])]


def rng_state(device: torch.device) -> dict[str, Tensor]:
    """Return the states of torch's own generators, which layers such as dropout draw from."""
    states = {"cpu": torch.get_rng_state()}
    return {**states, "cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def set_rng_state(states: dict[str, Tensor], device: torch.device) -> None:
    """Put the states of torch's own generators back."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
