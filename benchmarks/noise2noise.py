"""Are weights that never saw a clean picture as good as others: two sets, picture by picture, with a paired test.

    python benchmarks/noise2noise.py --data DATA regression/denoise noise2noise/denoise
    python benchmarks/noise2noise.py --data DATA --limit 16 trained/clean trained/noisy

Weights are folders or names; the second are compared with the first. CBSD68 is damaged by the task `denoise` with sigma
25, the number of the picture as the seed: unclipped, as in the paper, and clipped and rounded, as in files. PolyU has
pairs. PSNR in RGB, border 0, of results rounded to 8 bits, means over pictures; the interval is that of the mean
difference (bootstrap, 95 %), and p that of random signs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from restoration import Observation, Restoration, psnr, read
from restoration.console import prepare
from restoration.images.folders import pairs_in
from restoration.picture import round_to_levels
from restoration.recipe import Recipe
from restoration.registry import registry
from restoration.registry.cards import WeightsCard
from restoration.scoring.statistics import paired_test
from restoration.tasks import make_task
from restoration.weights import CONFIG, bundled

SIGMA = 25.0


def recipe_of(name: str) -> Recipe:
    folder = Path(name)
    path = (folder if folder.is_dir() else bundled(registry().card(WeightsCard, name)).path) / CONFIG
    return Recipe.from_json(path.read_bytes(), path)


def loaded(name: str) -> Restoration:
    recipe = recipe_of(name)
    return Restoration(recipe.method.name, recipe.task.name, weights=name)


def pictures(data: Path, row: str, limit: int | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield clean and noisy pictures, `1 c h w`."""
    for number, pair in enumerate(pairs_in(data)[:limit]):
        x = read(pair.clean).pixels
        if pair.degraded is not None:
            yield x, read(pair.degraded).pixels
        else:
            task = make_task("denoise", {"sigma": SIGMA, "clipped": float("files" in row)})
            yield x, task(x, torch.Generator().manual_seed(number))


def main() -> None:
    """Print a table, a line for each set of pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs=2, help="folders, or names from `restore weights list`")
    parser.add_argument("--data", type=Path, required=True, help="has denoise/CBSD68 and denoise_real/PolyU")
    parser.add_argument("--limit", type=int, help="pictures of each set; default: all")
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args()
    prepare(chosen.threads)
    sets = {
        "CBSD68, sigma 25": "denoise/CBSD68",
        "CBSD68, sigma 25, in files": "denoise/CBSD68",
        "PolyU": "denoise_real/PolyU",
    }
    restorations = [loaded(name) for name in chosen.weights]
    print(f"| pictures | number | noisy | {' | '.join(chosen.weights)} | difference, 95 % | p |")
    print("|---|---|---|---|---|---|---|")
    for row, folder in sets.items():
        scores: list[list[float]] = [[], [], []]
        for x, y in pictures(chosen.data / folder, row, chosen.limit):
            answers = [one(Observation(y=y)).picture.pixels for one in restorations]
            for found, answer in zip(scores, [y, *answers], strict=True):
                found.append(psnr(round_to_levels(answer), x) if answer is not y else psnr(y, x))
        test = paired_test(scores[1], scores[2])
        means = " | ".join(f"{sum(found) / len(found):.2f}" for found in scores)
        interval = f"{test.difference:+.3f} ({test.low:+.3f} to {test.high:+.3f})"
        print(f"| {row} | {test.pairs} | {means} | {interval} | {test.p:.4f} |", flush=True)


if __name__ == "__main__":
    main()
