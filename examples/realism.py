"""Sheets of what realism does: damaged, the mean, half of it, two samples, where samples differ, and the clean picture.

    python examples/realism.py --out docs/pictures/

The pictures are those of `examples/derain/clean`, which no training has seen. Crops of 192x192 pixels, from left to
right; samples have the seeds 0 to 3, the deviation is that of four, times 4.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from einops import rearrange

from restoration import Observation, Picture, Restoration, read, write
from restoration.picture import with_channels
from restoration.tasks import make_task, observe

SIDE = 192
CLEAN = Path(__file__).parent / "derain" / "clean"
CROPS = {"hopper": ((30, 170), (310, 60)), "bridge": ((250, 290), (150, 420))}
"""The corners of crops, top and left, by the names of pictures; the second is of what realism does badly."""
TASKS: dict[str, dict[str, Any]] = {
    "sr": {"scale": 4},
    "inpaint": {"kind": "text"},
    "deblur": {"kind": "shake", "extent": 15.0},
}


def row(task: str, clean: torch.Tensor, seed: int) -> torch.Tensor:
    """Return the pictures of one crop beside each other, `1 3 h w`."""
    options = TASKS[task]
    seen: Observation = observe(make_task(task, options), clean, torch.Generator().manual_seed(seed))
    known = {"scale": 4} if task == "sr" else {}
    answers = {s: Restoration("ir-sde", task, task_options=known, realism=s, device="cpu") for s in (0.5, 1)}
    mean = Restoration("regression", task, task_options=known, device="cpu")(seen).picture.pixels
    samples = [answers[1](seen, seed=number).picture.pixels for number in range(4)]
    deviation = torch.stack(samples).std(dim=0).square().mean(dim=1, keepdim=True).sqrt() * 4
    half = answers[0.5](seen).picture.pixels
    shown = (seen.y, mean, half, samples[0], samples[1], with_channels(deviation.clamp(0, 1), 3), clean)
    return rearrange(list(shown), "n 1 c h w -> 1 c h (n w)")


def main() -> None:
    """Write a sheet for each task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for task in chosen.tasks:
        rows = []
        for name, corners in CROPS.items():
            whole = read(CLEAN / f"{name}.png").pixels
            for seed, (top, left) in enumerate(corners):
                rows.append(row(task, whole[..., top : top + SIDE, left : left + SIDE].contiguous(), seed))
        sheet = rearrange(rows, "n 1 c h w -> 1 c (n h) w").clamp(0, 1)
        write(Picture(pixels=sheet), chosen.out / f"realism-{task}.webp", quality=85)
        print(chosen.out / f"realism-{task}.webp")


if __name__ == "__main__":
    main()
