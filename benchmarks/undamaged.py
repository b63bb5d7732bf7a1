"""What weights make of pictures that their task damages, and of the same ones undamaged: by these sets are chosen.

    python benchmarks/undamaged.py --data photos/ -m ir-sde -t derain ir-sde/derain weights/ blended/
    python benchmarks/undamaged.py --data photos/ -m regression -t deblur --set kind=shake regression/deblur

For `--data` take photographs that no training has seen, and that are in no test set. Of each the middle 384x384 pixels
are used, of those with a shorter side of over 1200 pixels after they were shrunk by two; the seed of the damage is the
place of the picture. Prints means of PSNR (RGB, border 0, rounded to 8 bits) in dB: of the damaged pictures, of what is
made of them, and of what is made of undamaged ones; and how many levels the mean of a block of 32x32 of the latter
changes at most. For derain also what becomes of flat greys.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from restoration import Observation, Restoration, psnr, read
from restoration.console import prepare
from restoration.images import pictures_in
from restoration.picture import round_to_levels
from restoration.tasks import make_task, observe

SIDE, LARGE, BLOCK = 384, 1200, 32
GREYS = (60, 90, 110, 128, 150, 190)


def middle(path: Path) -> Tensor:
    """Return the middle of a picture, of large ones at half their size, rounded to 8 bits."""
    x = read(path).pixels
    if min(x.shape[-2:]) > LARGE:
        x = functional.avg_pool2d(x, 2)
    top, left = (max(0, (side - SIDE) // 2) for side in x.shape[-2:])
    return round_to_levels(x[..., top : top + SIDE, left : left + SIDE])


def restored(restoration: Restoration, observation: Observation) -> Tensor:
    """Return a result with the seed 0, rounded to 8 bits."""
    return round_to_levels(restoration(observation, seed=0).picture.pixels.clamp(0, 1))


def main() -> None:
    """Print a line for each set of weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="+", help="names or folders of weights")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-m", "--method", required=True)
    parser.add_argument("-t", "--task", required=True)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="options of the damage")
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args()
    prepare(chosen.threads)
    options = {}
    for key, _, value in (text.partition("=") for text in chosen.set):
        options[key] = json.loads(value) if value[:1] in '[{"0123456789-' else value
    task, pictures = make_task(chosen.task, options), [middle(path) for path in pictures_in(chosen.data)]
    print("| weights | pictures | damaged | restored | undamaged | block, levels |\n|---|---|---|---|---|---|")
    for name in chosen.weights:
        restoration = Restoration(chosen.method, chosen.task, weights=name)
        rows, worst = [], 0.0
        for seed, x in enumerate(pictures):
            seen = observe(task, x, torch.Generator().manual_seed(seed))
            clean = restored(restoration, Observation(y=x))
            rows.append((psnr(seen.y, x), psnr(restored(restoration, seen), x), psnr(clean, x)))
            worst = max(worst, float(functional.avg_pool2d(clean - x, BLOCK).abs().max()) * 255)
        means = " | ".join(f"{sum(column) / len(rows):.2f}" for column in zip(*rows, strict=True))
        print(f"| {name} | {len(rows)} | {means} | {worst:.1f} |", flush=True)
        if chosen.task == "derain":
            flat = [restored(restoration, Observation(y=torch.full((1, 3, 192, 192), grey / 255))) for grey in GREYS]
            levels = ", ".join(
                f"{grey} -> {float(one.mean()) * 255:.0f}" for grey, one in zip(GREYS, flat, strict=True)
            )
            print(f"flat greys: {levels}", flush=True)


if __name__ == "__main__":
    main()
