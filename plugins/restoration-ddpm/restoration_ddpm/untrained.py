"""Deep Image Prior as a part of another method: `dip`, from wherever it is installed, fitted to one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from restoration import Observation, Restoration

if TYPE_CHECKING:
    from torch import Generator, Tensor

Quality = Literal["fast", "balanced", "paper"]


class UntrainedPrior:
    """Denoises by the method `dip`, with its `quality` and at most so many `steps`; see `restore run -m dip --help`.

    Raises `UnknownName`, with what to install, where there is no such method.
    """

    def __init__(self, *, quality: Quality = "fast", steps: int | None = None) -> None:
        self.options = {"quality": quality} | ({} if steps is None else {"steps": steps})
        self.methods: dict[str, Restoration] = {}
        self._on("cpu")  # which shows here what does not fit
        self.fits = 0
        """How many networks were fitted."""

    def __call__(self, y: Tensor, sigma: float | None, rng: Generator) -> Tensor:
        """Return `b c h w` without noise of standard deviation `sigma`, None if unknown: a fit for each picture."""
        seeds = torch.randint(2**31, (len(y),), generator=rng).tolist()
        with torch.autocast(y.device.type, enabled=False):  # the fit chooses its own precision
            found = [self._fitted(one, sigma, seed) for one, seed in zip(torch.split(y, 1), seeds, strict=True)]
        return torch.cat(found).to(y)

    def _fitted(self, y: Tensor, sigma: float | None, seed: int) -> Tensor:
        self.fits += 1
        return self._on(str(y.device))(Observation(y=y.float(), sigma=sigma), seed=seed).picture.pixels

    def _on(self, device: str) -> Restoration:
        if device not in self.methods:
            self.methods[device] = Restoration("dip", "denoise", options=self.options, device=device)
        return self.methods[device]
