"""How often is a good result doubted, and how often is a spoilt one found: the rates of `restoration.plausibility`.

    python benchmarks/plausibility.py photos/ --pictures 20
    python benchmarks/plausibility.py photos/ --degraded derain=rain/ --degraded dehaze=haze/

Clean pictures are degraded as each task does by itself, and restored by each of `--methods`; those of `--degraded` are
restored as they are, and so are the clean ones (but for sr and inpaint). `doubted` counts results of the method itself.
The other columns say how many of the same results, spoilt on purpose, are found.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from restoration import Observation, Picture, Restoration, read
from restoration.console import prepare
from restoration.images.folders import pairs_in
from restoration.plausibility import find_faults
from restoration.registry import registry
from restoration.registry.cards import TaskCard, WeightsCard
from restoration.tasks import make_task, observe

TASKS = ("denoise", "derain", "deblur", "dehaze", "sr", "inpaint", "jpeg")
UNDAMAGED = ("denoise", "derain", "deblur")
"""The tasks whose methods are also given clean pictures."""
SIDE = 320
"""Pictures are cropped to at most so many pixels a side."""


def mosaic(image: Tensor, side: int) -> Tensor:
    """Make squares of one colour."""
    height, width = image.shape[-2:]
    small = functional.avg_pool2d(image, side, ceil_mode=True)
    return functional.interpolate(small, scale_factor=side)[..., :height, :width]


def shuffled(image: Tensor, side: int = 32) -> Tensor:
    """Exchange squares."""
    rows, columns = (length // side for length in image.shape[-2:])
    part = image[..., : rows * side, : columns * side]
    tiles = rearrange(part, "1 c (i h) (j w) -> (i j) c h w", h=side, w=side)
    tiles = tiles[torch.randperm(rows * columns, generator=torch.Generator().manual_seed(0))]
    answer = image.clone()
    answer[..., : rows * side, : columns * side] = rearrange(tiles, "(i j) c h w -> 1 c (i h) (j w)", i=rows)
    return answer


def shifted(image: Tensor, by: int) -> Tensor:
    """Show in one part, 128 pixels a side, what lies beside it."""
    answer = image.clone()
    answer[..., 64:192, 64:192] = image[..., 64:192, 64 + by : 192 + by]
    return answer


def darkened(image: Tensor, share: float) -> Tensor:
    """Darken the upper third, with a soft edge."""
    height = image.shape[-2]
    gain = torch.ones(height)
    third = height // 3
    gain[:third] = share
    gain[third : third + 30] = torch.linspace(share, 1, 30)
    return image * gain[:, None]


PLANTED: dict[str, Callable[[Tensor], Tensor]] = {
    "black": torch.zeros_like,
    "NaN": lambda image: image * float("nan"),
    "mosaic 8": lambda image: mosaic(image, 8),
    "mosaic 32": lambda image: mosaic(image, 32),
    "shuffled 32": shuffled,
    "shifted 16": lambda image: shifted(image, 16),
    "sky x 0.6": lambda image: darkened(image, 0.6),
    "sky x 0.8": lambda image: darkened(image, 0.8),
}


@dataclass
class Rates:
    """Counts of one task and one kind of pictures."""

    results: int = 0
    doubted: int = 0
    found: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def observations(task: str, clean: list[Path], degraded: dict[str, Path]) -> Iterator[tuple[str, Observation]]:
    """Yield what a method is given, with a word for its kind."""
    for place, path in enumerate(clean):
        x = _cropped(read(path))
        yield "drawn", observe(make_task(task, {}), x, torch.Generator().manual_seed(place))
        if task in UNDAMAGED:
            yield "clean", Observation(y=x)
    if task in degraded:
        for pair in pairs_in(degraded[task]):
            yield "real", Observation(y=_cropped(read(pair.clean)))


def _cropped(picture: Picture) -> Tensor:
    return picture.pixels[..., :SIDE, :SIDE].expand(-1, 3, -1, -1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clean", type=Path, help="folder of clean pictures that no weights were trained on")
    parser.add_argument("--degraded", action="append", default=[], metavar="TASK=DIR", help="degraded pictures")
    parser.add_argument("--methods", nargs="+", default=["regression", "ir-sde"])
    parser.add_argument("--pictures", type=int, default=20, help="clean pictures of each task")
    arguments = parser.parse_args()
    degraded = {task: Path(folder) for task, _, folder in (one.partition("=") for one in arguments.degraded)}
    clean = [Path(str(pair.clean)) for pair in pairs_in(arguments.clean)][: arguments.pictures]
    there = {card.name for card in registry().cards(WeightsCard)}
    prepare()
    print("\t".join(["task", "method", "pictures", "results", "doubted", *PLANTED]))
    for task in TASKS:
        limits = registry().card(TaskCard, task).limits
        for method in (one for one in arguments.methods if f"{one}/{task}" in there):
            restoration, rates = Restoration(method, task), defaultdict[str, Rates](Rates)
            for kind, observation in observations(task, clean, degraded):
                after, one = restoration(observation, seed=0).picture.pixels, rates[kind]
                before = observation.y.clamp(0, 1)
                one.results += 1
                one.doubted += bool(find_faults(before, after, limits))
                for name, spoil in PLANTED.items():
                    one.found[name] += bool(find_faults(before, spoil(after), limits))
            for kind, one in rates.items():
                found = [str(one.found[name]) for name in PLANTED]
                print("\t".join([task, method, kind, str(one.results), str(one.doubted), *found]), flush=True)


if __name__ == "__main__":
    main()
