"""Where drawn pictures go: one file for all, or a file for each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from restoration import BadOption, Picture, write
from restoration.images import can_write, make_folder, writable
from restoration_ddpm.generation import make_sheet

if TYPE_CHECKING:
    from torch import Tensor


class Sheet:
    """One file with all pictures in rows. Raises `BadOption` for a name that does not end as that of a picture."""

    def __init__(self, output: str, columns: int | None, zoom: int) -> None:
        self.path, self.columns, self.zoom = Path(output), columns, zoom
        self.pictures: list[Tensor] = []
        if not can_write(self.path.suffix.lower()):
            raise BadOption(f"cannot write {output}; use one of {', '.join(writable())}, or end it with / for a folder")

    def check(self, number: int, overwrite: bool) -> None:
        """Raise `BadOption` for a file that exists, unless it may be overwritten."""
        self.overwrite = overwrite
        if self.path.exists() and not overwrite:
            raise BadOption(f"{self.path} exists; --overwrite replaces it")
        if not self.path.absolute().parent.is_dir():
            raise BadOption(f"{self.path.parent} is not a folder; make it first")

    def add(self, pictures: Tensor) -> None:
        """Take pictures `b c h w`."""
        self.pictures.append(pictures)

    def finish(self) -> list[Path]:
        """Write the file, and return its path. Raises `RestorationError`."""
        pixels = make_sheet(torch.cat(self.pictures), self.columns, self.zoom)
        write(Picture(pixels=pixels), self.path, overwrite=self.overwrite)
        return [self.path]


class Folder:
    """A folder with a file for each picture, `000000.png` and so on, written as they are drawn."""

    def __init__(self, output: str, zoom: int) -> None:
        self.path, self.zoom = Path(output), zoom
        self.paths: list[Path] = []

    @staticmethod
    def fits(output: str) -> bool:
        """Say whether a path is that of a folder: one that exists, or ends with a slash or without a suffix."""
        return output.endswith(("/", "\\")) or Path(output).is_dir() or not Path(output).suffix

    def check(self, number: int, overwrite: bool) -> None:
        """Make the folder. Raises `BadOption` for a picture that exists, unless it may be overwritten."""
        make_folder(self.path)
        self.overwrite = overwrite
        there = [place for place in range(number) if self._name(place).exists()]
        if there and not overwrite:
            raise BadOption(f"{self._name(there[0])} exists; --overwrite replaces it")

    def add(self, pictures: Tensor) -> None:
        """Write pictures `b c h w`. Raises `RestorationError`."""
        for picture in torch.split(pictures, 1):
            path = self._name(len(self.paths))
            write(Picture(pixels=make_sheet(picture, 1, self.zoom)), path, overwrite=self.overwrite)
            self.paths.append(path)

    def finish(self) -> list[Path]:
        """Return the paths of all pictures."""
        return self.paths

    def _name(self, place: int) -> Path:
        return self.path / f"{place:06}.png"
