"""Every method on every task, on the field's test sets: one table, in Markdown or another format.

    python benchmarks/table.py --data DATA
    python benchmarks/table.py --data DATA --limit 10 --steps 1 10 --only denoise

The pictures are for research only and are not in this repository; what lies where stands in `ROWS`. Synthetic damage is
drawn with the seed 0 + the place of the picture. PSNR of pictures rounded to 8 bits, means over pictures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from restoration import Restoration, read, write
from restoration.console import prepare
from restoration.images.folders import pairs_in, pictures_in
from restoration.operators import Resampling
from restoration.picture import with_channels
from restoration.registry import registry
from restoration.registry.cards import WeightsCard
from restoration.scoring.measures import choose
from restoration.scoring.score import Scoring


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: pictures, a task with its options, and the metric that the literature quotes."""

    name: str
    task: str
    folder: str
    options: dict[str, Any] = field(default_factory=dict)
    metric: str = "psnr"
    border: int = 0
    undamaged: bool = False
    grey: bool = False


ROWS = [
    Row(name="Rain100H, 50 pairs", task="derain", folder="rain/Rain100H", metric="psnr_y"),
    Row(name="CBSD68, rain of the task", task="derain", folder="denoise/CBSD68", metric="psnr_y"),
    Row(name="CBSD68, sigma 15", task="denoise", folder="denoise/CBSD68", options={"sigma": 15.0}),
    Row(name="CBSD68, sigma 25", task="denoise", folder="denoise/CBSD68", options={"sigma": 25.0}),
    Row(name="CBSD68, sigma 50", task="denoise", folder="denoise/CBSD68", options={"sigma": 50.0}),
    *(
        Row(name=f"CBSD68 in grey, sigma {s}", task="denoise", folder="denoise/CBSD68", options={"sigma": s}, grey=True)
        for s in (15, 25, 50)
    ),
    Row(
        name="CBSD68, sigma 50 in files",
        task="denoise",
        folder="denoise/CBSD68",
        options={"sigma": 50.0, "clipped": 1.0},
    ),
    Row(name="CC15, real cameras", task="denoise", folder="denoise_real/CC15"),
    Row(name="PolyU, real cameras", task="denoise", folder="denoise_real/PolyU"),
    Row(name="Set5, x4", task="sr", folder="sr/Set5", options={"scale": 4}, metric="psnr_y", border=4),
    Row(name="CelebA-HQ 256, thin masks", task="inpaint", folder="faces/celeba_hq_1024", options={"mask": "thin"}),
    Row(name="SOTS indoor", task="dehaze", folder="haze/SOTS_indoor"),
    Row(name="GoPro, 4 frames", task="deblur", folder="blur/GoPro_one_scene"),
    *(
        Row(name=f"CBSD68, JPEG quality {quality}", task="jpeg", folder="denoise/CBSD68", options={"quality": quality})
        for quality in (10, 20, 40)
    ),
    Row(name="CBSD68, camera shake", task="deblur", folder="denoise/CBSD68", options={"kind": "shake"}),
    *(
        Row(name=f"CBSD68, undamaged, {task}", task=task, folder="denoise/CBSD68", undamaged=True)
        for task in ("denoise", "derain", "deblur", "dehaze", "jpeg")
    ),
]


def prepared(row: Row, data: Path, out: Path) -> tuple[Path, dict[str, Any]]:
    """Return the folder that a row is scored on and the options of its task; make it in `out` where it must be made."""
    folder, options = data / row.folder, dict(row.options)
    if row.undamaged:
        for part in ("clean", "degraded"):
            (out / part).mkdir()
            for one in pictures_in(folder):
                (out / part / one.name).symlink_to(one.resolve())
        return out, options
    if row.grey:
        for one in pictures_in(folder):
            picture = read(one)
            write(picture.with_pixels(with_channels(picture.pixels, 1)), out / f"{one.stem}.png")
        return out, options
    if row.task == "sr":
        for one in pictures_in(folder / "HR"):
            for part, file in (("clean", one), ("small", folder / "LR_bicubic/X4" / f"{one.stem}x4.png")):
                (out / part).mkdir(exist_ok=True)
                (out / part / one.name).symlink_to(file.resolve())
        return out, options
    if row.task == "inpaint":
        for one in pictures_in(folder):
            picture = read(one)
            smaller = Resampling(Fraction(1, 4), (picture.pixels.shape[-2], picture.pixels.shape[-1]))
            write(picture.with_pixels(smaller.rounded(picture.pixels)), out / f"{one.stem}.png")
        return out, {"mask": str(data / "inpaint_masks" / options["mask"])}
    return folder, options


def thinned(folder: Path, every: int, out: Path) -> Path:
    """Return a folder of every Nth picture, or pair, of a folder, as links in `out`; or that folder, for every one."""
    if every == 1:
        return folder
    for pair in pairs_in(folder)[::every]:
        for part, file in (("clean", pair.clean), ("degraded", pair.degraded)):
            if isinstance(file, Path):
                (out / part).mkdir(exist_ok=True)
                (out / part / f"{pair.clean.stem}{file.suffix}").symlink_to(file.resolve())
    return out if (out / "degraded").exists() else out / "clean"


def methods(row: Row, steps: list[int]) -> dict[str, Restoration]:
    """Return the methods of a row by the columns they stand in: those that have weights for its task."""
    there = {card.name for card in registry().cards(WeightsCard)}
    made = {"regression": Restoration("regression", row.task, task_options=row.options)}
    for method, realism in (("ir-sde", 0), ("denoising-ode", 1)):
        for number in steps if f"{method}/{row.task}" in there else []:
            how = {"task_options": row.options, "steps": number, "realism": realism}
            made[f"{method}, {number}"] = Restoration(method, row.task, **how)
    return made


def main() -> None:
    """Score, print a line for each row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=0, help="pictures of a row; 0 is all")
    parser.add_argument("--every", type=int, default=1, help="only every Nth picture of a row")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 5, 10, 100], help="numbers of evaluations")
    parser.add_argument("--only", nargs="+", help="tasks, or parts of the names of rows")
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args()
    prepare(chosen.threads)
    header = ["pictures", "input", "regression", *(f"ir-sde, {n}" for n in chosen.steps)]
    header += [f"denoising-ode, {n}" for n in chosen.steps]
    print("| " + " | ".join([*header, "protocol", "seconds"]) + " |\n|" + "---|" * (len(header) + 2), flush=True)
    for row in ROWS:
        if chosen.only and not any(word == row.task or word in row.name for word in chosen.only):
            continue
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as fewer:
            folder, options = prepared(row, chosen.data, Path(made))
            folder = thinned(folder, chosen.every, Path(fewer))
            restorations = methods(Row(**{**vars(row), "options": options}), chosen.steps)
            scoring = Scoring(
                restorations, folder, measures=choose([row.metric]), border=row.border, limit=chosen.limit
            )
            done = list(scoring)
        means = {"input": sum(one.input[row.metric] for one in done) / len(done)}
        for label in restorations:
            means[label] = sum(one.restored[label][row.metric] for one in done) / len(done)
        cells = [f"{means[label]:.2f}" if label in means else "" for label in header[1:]]
        words = f"{scoring.measures[0].protocol(row.border)}; {len(done)} pictures"
        seconds = f"{time.perf_counter() - begin:.0f}"
        print("| " + " | ".join([row.name, *cells, words, seconds]) + " |", flush=True)


if __name__ == "__main__":
    main()
