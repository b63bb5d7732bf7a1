"""The file that a training goes on from, and the states of torch's own generators, which belong in it."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restoration.errors import RestorationError
from restoration.images import make_folder, write_bytes


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
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise RestorationError(f"{path} is damaged; delete it to begin again") from error
    return state


def write(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint: it is whole, or the one before is still there. Raises `RestorationError`."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(buffer.getvalue(), path)


def generators(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the generators that layers such as dropout draw from."""
    states = {"cpu": torch.get_rng_state()}
    return {**states, "cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def set_generators(states: dict[str, Tensor], device: torch.device) -> None:
    """Put these states back."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
