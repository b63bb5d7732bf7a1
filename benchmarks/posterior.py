"""One prior for every damage against networks trained for each: `ddrm`, `diffpir`, `dps`, `ir-sde` and `regression`.

    python benchmarks/posterior.py --data DATA/denoise/CBSD68     # 7 crops: some minutes
    python benchmarks/posterior.py --data DATA/denoise/CBSD68 --every 1 --only sr --out pictures/

Crops of 256x256 from the middle of pictures. Damage is drawn with the number of the picture as the seed. `damaged` is
what a user sees, for a small picture its bicubic enlargement; `adjoint` the transpose of the operator, applied to what
was measured, as dark as that makes it. The pictures of CBSD68 are for research only and are not in this repository.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from restoration import Observation, Picture, Restoration, psnr, read, write
from restoration.console import prepare
from restoration.images.folders import pictures_in
from restoration.picture import round_to_levels
from restoration.plausibility import find_faults
from restoration.registry import registry
from restoration.registry.cards import TaskCard
from restoration.tasks import make_task, observe

METHODS = ("regression", "ir-sde", "ddrm", "diffpir", "dps")
SIDE = 256
"""The side of a crop, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table: a task, the options that damage is drawn with, and those that methods are given."""

    name: str
    task: str
    options: dict[str, Any]
    known: dict[str, Any] = field(default_factory=dict)


ROWS = (
    Row(name="sr x2", task="sr", options={"scale": 2}, known={"scale": 2}),
    Row(name="sr x4", task="sr", options={"scale": 4}, known={"scale": 4}),
    Row(name="deblur, shake of 15 pixels", task="deblur", options={"kind": "shake", "extent": 15.0, "noise": 1.0}),
    Row(name="inpaint, text", task="inpaint", options={"kind": "text"}),
    Row(name="inpaint, half of the pixels", task="inpaint", options={"kind": "pixels", "share": 0.5}),
    Row(name="denoise, sigma 25", task="denoise", options={"sigma": 25.0}),
)


def middle(path: Path) -> Tensor:
    """Return the crop from the middle of a picture, `1 3 h w`."""
    pixels = read(path).pixels
    top, left = (max(0, (side - SIDE) // 2) for side in pixels.shape[-2:])
    return pixels[..., top : top + SIDE, left : left + SIDE]


def adjoint(seen: Observation) -> Tensor:
    """Return the adjoint of what was measured, `1 3 h w`."""
    y = seen.y if seen.measured is None else seen.measured
    return y if seen.operator is None else seen.operator.adjoint(y)


def score(row: Row, paths: list[Path], out: Path | None) -> list[str]:
    """Return the cells of a row: the mean PSNR of each column, and with methods their seconds and doubtful results."""
    task, limits = make_task(row.task, row.options), registry().card(TaskCard, row.task).limits
    methods = {name: Restoration(name, row.task, task_options=row.known) for name in METHODS}
    found: dict[str, list[float]] = {name: [] for name in ("damaged", "adjoint", *METHODS)}
    seconds, doubts = dict.fromkeys(METHODS, 0.0), dict.fromkeys(METHODS, 0)
    for number, path in enumerate(paths):
        x = middle(path)
        seen = observe(task, x, torch.Generator().manual_seed(number))
        results = {"damaged": seen.y, "adjoint": adjoint(seen)}
        for name, restoration in methods.items():
            begin = time.perf_counter()
            results[name] = restoration(seen).picture.pixels
            seconds[name] += time.perf_counter() - begin
            doubts[name] += bool(find_faults(seen.y, results[name], limits))
        for name, image in results.items():
            found[name].append(psnr(round_to_levels(image), x))
            if out is not None:
                write(
                    Picture(pixels=round_to_levels(image)), out / f"{path.stem}.{row.name.replace(' ', '-')}.{name}.png"
                )
    cells = []
    for name, values in found.items():
        cell = f"{sum(values) / len(values):.2f}"
        if name in seconds:
            cell += f" ({seconds[name] / len(paths):.1f} s)" + (f", {doubts[name]} doubtful" if doubts[name] else "")
        cells.append(cell)
    return cells


def main() -> None:
    """Print a line for each row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of clean pictures")
    parser.add_argument("--every", type=int, default=10, help="take every so many-th picture")
    parser.add_argument("--only", nargs="+", help="tasks, or parts of the names of rows")
    parser.add_argument("--out", type=Path, help="folder that all pictures are written to")
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args()
    prepare(chosen.threads)
    if chosen.out is not None:
        chosen.out.mkdir(parents=True, exist_ok=True)
    paths = pictures_in(chosen.data)[:: chosen.every]
    print(f"PSNR of RGB in dB, rounded to 8 bits, border 0, {len(paths)} crops of {SIDE}x{SIDE}; seconds a crop\n")
    print(
        "| pictures | damaged | adjoint | " + " | ".join(METHODS) + " |\n" + "|---" * (len(METHODS) + 3) + "|",
        flush=True,
    )
    for row in ROWS:
        if not chosen.only or any(word == row.task or word in row.name for word in chosen.only):
            print("| " + " | ".join([row.name, *score(row, paths, chosen.out)]) + " |", flush=True)


if __name__ == "__main__":
    main()
