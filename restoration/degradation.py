"""Damage on purpose: a task, its options and a seed make the same degraded picture again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from restoration.errors import BadOption
from restoration.images import make_folder, write, write_bytes
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
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except OSError as error:
            raise BadOption(f"{path}: {error.strerror}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
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

    def write(self, picture: Picture, target: Path) -> list[str]:
        """Degrade a picture and write it, its recipe, and the mask or kernel if there is one; return the paths."""
        degraded, observation = self(picture)
        files = {target: degraded}
        if isinstance(observation.operator, Masking):
            files[target.parent / "masks" / f"{target.stem}.png"] = Picture(pixels=observation.operator.mask)
        if isinstance(observation.operator, Convolution):
            kernel = observation.operator.kernel[:1]
            files[target.parent / "kernels" / f"{target.stem}.png"] = Picture(pixels=kernel / kernel.max(), bits=16)
        for folder in {path.parent: None for path in files}:
            make_folder(folder)
        for path, one in files.items():
            write(one, path)
        recipe = target.with_suffix(".json")
        write_bytes(msgspec.json.format(msgspec.json.encode(self.facts()), indent=2) + b"\n", recipe)
        return [*map(str, files), str(recipe)]
