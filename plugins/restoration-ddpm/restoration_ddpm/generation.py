"""Pictures drawn by trained weights, and sheets of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch.nn import functional

from restoration import BadOption, Restoration, RowGenerators, resolve
from restoration_ddpm.restorers import DDPM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from torch import Tensor

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
GAP = 2
"""Pixels between the pictures of a sheet."""


class Generation:
    """Draws pictures with weights of `ddpm`, ready on their device. Raises `RestorationError` if anything does not fit.

    * `weights`: a path, the name of a card or `owner/name[@revision]` on the Hub.
    * `size`: height and width of the pictures; None for those that the weights were trained with.
    * `steps`, `sampler`, `options`, `device`, `precision`, `offline`: as for `Restoration`.
    """

    def __init__(
        self,
        weights: str,
        *,
        size: tuple[int, int] | None = None,
        steps: int | None = None,
        sampler: str | None = None,
        options: Mapping[str, Any] | None = None,
        device: str = "auto",
        precision: str = "auto",
        offline: bool = False,
    ) -> None:
        folder = resolve(weights, "ddpm", "denoise", offline=offline)
        assert folder is not None
        recipe = folder.recipe()
        self.restoration = Restoration(
            recipe.method.name,
            recipe.task.name,
            weights=weights,
            steps=steps,
            sampler=sampler,
            options=options,
            device=device,
            precision=precision,
            tile=0,
            offline=offline,
        )
        method = self.restoration.restorer
        if not isinstance(method, DDPM):
            raise BadOption(
                f"{weights} are weights of the method {recipe.method.name!r}, which draws no pictures; "
                "`restore train ddpm --data DIR --out DIR` trains some that do"
            )
        self.method, self.channels = method, len(recipe.channels)
        side = int(recipe.training.get("patch", 32))
        self.height, self.width = size or (side, side)

    def __call__(
        self, first: int, number: int, *, seed: int = 0, observe: Callable[[int, int], None] = lambda done, total: None
    ) -> Tensor:
        """Draw the pictures `first` to `first + number - 1` of a seed: `number c h w` in [0, 1], on the CPU.

        A picture depends on the seed and its number alone. `observe` is called with the steps done and those in all.
        """
        device, precision = self.restoration.device, self.restoration.precision
        rng = RowGenerators.keyed("sample", seed, rows=range(first, first + number))
        pictures = torch.empty(0)
        with torch.inference_mode(), torch.autocast(device.type, DTYPES[precision], enabled=precision != "fp32"):
            estimates = self.method.sample(rng, self.channels, self.height, self.width, device)
            for done, estimate in enumerate(estimates, 1):
                pictures = estimate
                observe(done, self.method.steps)
        if not bool(torch.isfinite(pictures.sum())):
            raise BadOption("the network gave numbers that are not finite; try --precision fp32")
        return pictures.float().cpu().clamp(0, 1)

    def batches(
        self,
        number: int,
        *,
        seed: int = 0,
        batch: int = 64,
        observe: Callable[[int, int], None] = lambda done, total: None,
    ) -> Iterator[Tensor]:
        """Yield the first pictures of a seed, `batch` at a time, `b c h w` each."""
        starts, steps = range(0, number, batch), self.method.steps
        for place, first in enumerate(starts):

            def report(done: int, total: int, before: int = place * steps) -> None:
                observe(before + done, len(starts) * steps)

            yield self(first, min(batch, number - first), seed=seed, observe=report)


def make_sheet(pictures: Tensor, columns: int | None = None, zoom: int = 1) -> Tensor:
    """Lay pictures `b c h w` out in rows, white between them, each pixel `zoom` times as large: `1 c h w`.

    There are as many `columns` as rows, or one more, unless a number is given.
    """
    number = len(pictures)
    columns = min(number, columns or math.ceil(math.sqrt(number)))
    rows = math.ceil(number / columns)
    pictures = functional.interpolate(pictures, scale_factor=zoom) if zoom > 1 else pictures
    pictures = functional.pad(pictures, (0, GAP, 0, GAP), value=1.0)
    blank = pictures.new_ones(rows * columns - number, *pictures.shape[1:])
    sheet = rearrange(torch.cat([pictures, blank]), "(r k) c h w -> 1 c (r h) (k w)", r=rows)
    return sheet[..., :-GAP, :-GAP].contiguous()
