"""A method against pictures whose clean versions are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from restoration.data import Pair, pairs_in
from restoration.errors import BadOption
from restoration.images import Picture, read
from restoration.metrics import protocol, psnr, ssim
from restoration.recipe import build_task
from restoration.runtime import colours

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.runtime import Restoration

COLUMNS = {"psnr_y": (psnr, "y"), "psnr": (psnr, "rgb"), "ssim_y": (ssim, "y"), "ssim": (ssim, "rgb")}


@dataclass(frozen=True, kw_only=True)
class Score:
    """One picture: what the degraded and the restored version score, by metric, and the seconds it took."""

    name: str
    before: dict[str, float]
    after: dict[str, float]
    seconds: float

    def row(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"name": self.name, "input": self.before, "restored": self.after, "seconds": self.seconds}


def score(
    restoration: Restoration, data: Path, *, border: int = 0, seed: int = 0, limit: int = 0, sigma: float | None = None
) -> Iterator[Score]:
    """Score every pair in a folder; where it holds clean pictures alone, the task degrades them, seeded by their place.

    Results are rounded to 8 bits first, as files are.
    """
    pairs = pairs_in(data)
    chosen = pairs[:limit] if limit else pairs
    task = build_task(restoration.recipe)
    for index, pair in enumerate(chosen):
        clean = colours(read(pair.clean).pixels, len(restoration.recipe.channels))
        degraded = _degraded(pair, clean, task, seed + index)
        if degraded.shape != clean.shape:
            raise BadOption(f"{pair.clean} and {pair.degraded} have different sizes")
        result = restoration(Picture(pixels=degraded), seed=seed, sigma=sigma)
        yield Score(
            name=pair.clean.name,
            before=measured(degraded, clean, border),
            after=measured(result.picture.pixels, clean, border),
            seconds=result.seconds,
        )


def _degraded(pair: Pair, clean: Tensor, task: Any, seed: int) -> Tensor:
    if pair.degraded is not None:
        return colours(read(pair.degraded).pixels, clean.shape[1])
    degraded: Tensor = task(clean, torch.Generator().manual_seed(seed))
    return degraded


def measured(image: Tensor, clean: Tensor, border: int) -> dict[str, float]:
    """Return all metrics of an image, `1 c h w`, rounded to 8 bits."""
    rounded = (image.clamp(0, 1) * 255).round() / 255
    small = min(clean.shape[-2:]) - 2 * border < 11
    return {
        name: float("nan") if small and metric is ssim else metric(rounded, clean, space=space, border=border)  # type: ignore[arg-type]
        for name, (metric, space) in COLUMNS.items()
    }


def mean(scores: list[Score], part: str) -> dict[str, float]:
    """Return the mean over pictures, by metric; `part` is "before" or "after"."""
    return {name: sum(getattr(one, part)[name] for one in scores) / len(scores) for name in COLUMNS}


def protocols(border: int) -> dict[str, str]:
    """Return what each column means."""
    names = {"psnr": "PSNR", "ssim": "SSIM"}
    return {
        column: f"{protocol(names[column.split('_')[0]], space, border)}, results rounded to 8 bits"  # type: ignore[arg-type]
        for column, (_, space) in COLUMNS.items()
    }
