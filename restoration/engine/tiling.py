"""A network in overlapping windows: bounded memory, no seams, the same for every method.

A window is a tile and as much around it as the receptive field of the network reaches (`reach` of its card). Windows
start at multiples of the sizes that networks halve, so that each has the sampling grid of the whole picture.
Neighbouring tiles are blended, and the weights at each pixel sum to one.
"""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING

import torch
from torch import nn

from restoration.errors import BadOption
from restoration.framing import enlargement
from restoration.interfaces import EnlargingNetwork
from restoration.memory import free_memory, is_out_of_memory

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.interfaces import Network

MULTIPLE = 32
"""Windows start at multiples of this many pixels."""
FADE = 16
"""Two neighbouring tiles are blended over this many pixels on both sides of the line between them."""
SMALLEST = 64
"""The smallest tile, in pixels a side."""
log = logging.getLogger("restoration")


class OwnTile(threading.local):
    """The side of the tiles of a thread, None where it has not chosen any."""

    tile: int | None = None

    def __reduce__(self) -> tuple[type[OwnTile], tuple[()]]:
        """Be empty in another process, as in another thread."""
        return OwnTile, ()


class Tiled(nn.Module):
    """A network that is evaluated for one tile at a time, of `tile` pixels a side; 0 is the whole picture.

    `reach` is the radius of its receptive field in pixels, and windows start at multiples of `multiple` pixels too, of
    what the network is given. A network that `enlarges` is given the small picture in windows that belong to those of
    the large one. If memory runs out, the tile is halved with a warning, and the evaluation repeated.
    """

    def __init__(self, network: Network, tile: int, reach: int = 64, multiple: int = 1) -> None:
        super().__init__()
        self.multiple = multiple
        if tile and tile < SMALLEST:
            raise ValueError(f"tile must be 0, for none, or at least {SMALLEST}, not {tile}")
        self.network = network
        self.enlarges = network.enlarges if isinstance(network, EnlargingNetwork) else ()
        self._first = tile // MULTIPLE * MULTIPLE
        self._own = OwnTile()
        self.halo = halo(reach)

    @property
    def tile(self) -> int:
        """The side of the tiles in pixels, 0 for none. Each thread has its own: it may be at another picture."""
        return self._first if self._own.tile is None else self._own.tile

    @tile.setter
    def tile(self, tile: int) -> None:
        self._own.tile = tile

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Evaluate the network on `b c h w`, `y` being the small picture if it enlarges, at times `t`, `1` or `b`."""
        while True:
            try:
                return self._evaluate(x, y, t)
            except RuntimeError as error:
                smaller = min(self.tile or math.inf, max(x.shape[-2:])) / 2
                if not is_out_of_memory(error) or smaller < SMALLEST:
                    raise
                self.tile = int(smaller) // MULTIPLE * MULTIPLE
                log.warning("out of memory: going on in tiles of %d pixels", self.tile)

    def _evaluate(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Evaluate the network window by window, and blend the windows: `b c h w`."""
        height, width = x.shape[-2:]
        if not self.tile or max(height, width) <= self.tile + self.halo:
            answer: Tensor = self.network(x, y, t)
            return answer
        whole = torch.zeros_like(x)
        scale = enlargement(x, y)
        step = math.lcm(MULTIPLE, scale * self.multiple)
        tile, halo = (math.ceil(side / step) * step for side in (self.tile, self.halo))
        columns = windows(width, tile, halo, x)
        for rows, tall in windows(height, tile, halo, x):
            for across, wide in columns:
                part = (..., rows, across)
                seen = (..., _smaller(rows, scale), _smaller(across, scale))
                one = self.network(x[part].contiguous(), y[seen].contiguous(), t)
                whole[part] += one * (tall[:, None] * wide[None, :])
        return whole


def _smaller(window: slice, scale: int) -> slice:
    """Return the window of a picture that is `scale` times smaller."""
    return slice(window.start // scale, math.ceil(window.stop / scale))


def halo(reach: int) -> int:
    """Return the margin of a window around its tile, in pixels: enough that blended pixels are right too."""
    return math.ceil((reach + FADE) / MULTIPLE) * MULTIPLE


def windows(length: int, tile: int, halo: int, like: Tensor) -> list[tuple[slice, Tensor]]:
    """Return the windows along one side of a picture, each with its weights; the weights at each pixel sum to 1."""
    lines = [0, *range(tile, length - halo, tile)]
    pixels = torch.arange(length, device=like.device, dtype=torch.float32) + 0.5
    rises = [_rise((pixels - line) / (2 * FADE) + 0.5) if line else torch.ones_like(pixels) for line in lines]
    result = []
    for index, line in enumerate(lines):
        last = index == len(lines) - 1
        weight = rises[index] * (1 if last else 1 - rises[index + 1])
        span = slice(max(0, line - halo), length if last else min(length, lines[index + 1] + halo))
        result.append((span, weight[span].to(like.dtype)))
    return result


def _rise(position: Tensor) -> Tensor:
    """Rise smoothly from 0 to 1, where the position does."""
    position = position.clamp(0, 1)
    return position * position * (3 - 2 * position)


def auto_tile(height: int, width: int, bytes_per_pixel: float, halo: int, device: torch.device) -> int:
    """Choose a tile for a picture: 0 if an evaluation fits into a share of the free memory, else one that fits.

    It is at least twice the `halo`, so that few pixels are in more than four windows.
    """
    memory = free_memory(device)
    budget = 0.6 * memory if device.type == "cuda" else min(0.4 * memory, 150e6)
    if height * width * bytes_per_pixel <= budget:
        return 0
    side = int(math.sqrt(budget / bytes_per_pixel)) - 2 * halo
    return max(side // MULTIPLE * MULTIPLE, 2 * halo, 2 * SMALLEST)


def parse_tile(tile: int | str) -> int | str:
    """Return "auto" or a number of pixels. Raises `BadOption` for anything else."""
    if tile == "auto":
        return tile
    try:
        number = int(tile)
        Tiled(nn.Identity(), number)
    except ValueError as error:
        raise BadOption(
            f"tile must be auto, 0 for none, or a side of at least {SMALLEST} pixels, not {tile!r}"
        ) from error
    return number
