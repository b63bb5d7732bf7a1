"""A network in overlapping windows: bounded memory, no seams, the same for every method.

Windows start at multiples of what networks halve, so that each sees the grid that the whole picture would give it.
Near an edge of a window its answer counts nothing, then more and more; all weights at a pixel sum to one.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.interfaces import Network

MULTIPLE = 32
"""Windows start at multiples of this many pixels."""
OVERLAP = 96
"""Pixels that neighbouring windows share."""
MARGIN = 24
"""Pixels at the inner edge of a window whose answer is not used."""
SMALLEST = 128
log = logging.getLogger("restoration")


class Tiled(nn.Module):
    """A network that looks at one window of at most `tile` pixels a side at a time; 0 is the whole picture.

    Out of memory, it halves the window, says so, and tries again.
    """

    def __init__(self, network: Network, tile: int) -> None:
        super().__init__()
        if tile and tile < SMALLEST:
            raise ValueError(f"tile must be 0, for none, or at least {SMALLEST}, not {tile}")
        self.network = network
        self.tile = tile // MULTIPLE * MULTIPLE

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Evaluate the network on `b c h w` at times `t`, `1` or `b`: `b c h w`."""
        while True:
            try:
                return self._evaluate(x, y, t)
            except RuntimeError as error:
                smaller = (self.tile or 2 * max(SMALLEST, *x.shape[-2:]) // MULTIPLE * MULTIPLE) // 2
                if not is_out_of_memory(error) or smaller < SMALLEST:
                    raise
                self.tile = max(SMALLEST, smaller // MULTIPLE * MULTIPLE)
                log.warning("out of memory: going on in windows of %d pixels", self.tile)

    def _evaluate(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if not self.tile or max(height, width) <= self.tile:
            answer: Tensor = self.network(x, y, t)
            return answer
        whole = torch.zeros_like(x)
        columns = windows(width, self.tile, x)
        for rows, tall in windows(height, self.tile, x):
            for across, wide in columns:
                part = (..., rows, across)
                one = self.network(x[part].contiguous(), y[part].contiguous(), t)
                whole[part] += one * (tall[:, None] * wide[None, :])
        return whole


def windows(length: int, tile: int, like: Tensor) -> list[tuple[slice, Tensor]]:
    """Return the windows along one side of a picture, each with its weights; at every pixel the weights sum to 1."""
    starts = [0]
    while starts[-1] + tile < length:
        starts.append(min(starts[-1] + tile - OVERLAP, math.ceil(length / MULTIPLE) * MULTIPLE - tile))
    places = torch.arange(length, device=like.device, dtype=torch.float32)
    weights = []
    for start in starts:
        end = start + tile
        from_edge = torch.full_like(places, math.inf)
        if start > 0:
            from_edge = torch.minimum(from_edge, places - start + 0.5)
        if end < length:
            from_edge = torch.minimum(from_edge, end - places - 0.5)
        rise = ((from_edge - MARGIN) / (OVERLAP - 2 * MARGIN)).clamp(0, 1)
        weights.append(torch.where((places >= start) & (places < end), rise * rise * (3 - 2 * rise), 0.0))
    total = torch.stack(weights).sum(dim=0)
    spans = [slice(start, min(start + tile, length)) for start in starts]
    return [(span, (weight / total)[span].to(like.dtype)) for span, weight in zip(spans, weights, strict=True)]


def auto_tile(height: int, width: int, bytes_per_pixel: int, device: torch.device) -> int:
    """Choose a window for a picture: none if an evaluation fits into a share of the free memory, else what does."""
    memory = free_memory(device)
    budget = 0.6 * memory if device.type == "cuda" else min(0.4 * memory, 600e6)
    if height * width * bytes_per_pixel <= budget:
        return 0
    side = int(math.sqrt(budget / bytes_per_pixel)) // MULTIPLE * MULTIPLE
    return min(max(side, 2 * SMALLEST), 1024)


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on a device: those of the system for "cpu", 8 GB where nobody says."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return 8_000_000_000


def is_out_of_memory(error: RuntimeError) -> bool:
    """Say whether torch failed for want of memory, on a GPU or in the system's allocator."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error) or "alloc_cpu" in str(error)
