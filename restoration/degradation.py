"""Damage on purpose: a task, its options and a seed make the same degraded picture again."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from restoration.documents import read_document
from restoration.errors import BadOption
from restoration.images import encode, make_folder
from restoration.images.parts import Part
from restoration.operators import Convolution, Masking
from restoration.picture import Picture
from restoration.tasks import make_task, observe

if TYPE_CHECKING:
    from restoration.interfaces import Observation


class Degradation(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What was done to a picture, as plain data; `restoration` is the version that did it."""

    task: str
    options: dict[str, Any] = {}
    seed: int = 0
    restoration: str = ""

    @classmethod
    def from_file(cls, path: Path) -> Degradation:
        """Read a recipe. Raises `BadOption`."""
        try:
            return msgspec.json.decode(read_document(path), type=cls)
        except OSError as error:
            raise BadOption(f"{path}: {error.strerror}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadOption(f"{path} is not a recipe of a degradation: {error}") from error

    def facts(self) -> dict[str, Any]:
        """Return it as plain data, with the version that runs now."""
        from restoration.version import __version__

        return {**msgspec.to_builtins(self), "restoration": __version__}

    def __call__(self, picture: Picture) -> tuple[Picture, Observation]:
        """Return the picture as a file would hold it, and what is known about it."""
        rng = torch.Generator().manual_seed(self.seed)
        observation = observe(make_task(self.task, self.options), picture.pixels, rng)
        pixels = observation.y if isinstance(observation.operator, Masking) else observation.measured
        return replace(picture, alpha=None).with_pixels(observation.y if pixels is None else pixels), observation

    def write(
        self, picture: Picture, target: Path, *, overwrite: bool = True, like: os.stat_result | None = None
    ) -> list[str]:
        """Degrade a picture and write it, its recipe, and the mask or kernel if there is one; return the paths.

        Without `overwrite` files that are there stay. `like`, what the system says of the picture's own file, gives the
        others its permissions. Where the degraded picture is, the rest is too.
        """
        degraded, observation = self(picture)
        recipe, mask, kernel = map(Path, files_beside(str(target)))
        pictures = {target: degraded}
        if isinstance(observation.operator, Masking):
            pictures[mask] = Picture(pixels=observation.operator.mask)
        if isinstance(observation.operator, Convolution):
            drawn = observation.operator.kernel[:1]
            pictures[kernel] = Picture(pixels=drawn / drawn.max(), bits=16)
        files = {path: encode(one, path.suffix.lower()) for path, one in pictures.items()}
        files[recipe] = msgspec.json.format(msgspec.json.encode(self.facts()), indent=2) + b"\n"
        with ExitStack() as parts:  # they get their names in the end, the last of them first
            for path, data in files.items():
                make_folder(path.parent)
                parts.enter_context(Part(path, overwrite=overwrite, like=like)).write(data)
        return list(map(str, files))


def files_beside(target: str) -> list[str]:
    """Return the paths of what may be written with a degraded picture: its recipe, its mask and its kernel."""
    folder, name = os.path.split(target)
    stem = os.path.splitext(name)[0]
    beside = [os.path.join(folder, kind, f"{stem}.png") for kind in ("masks", "kernels")]
    return [os.path.join(folder, f"{stem}.json"), *beside]
