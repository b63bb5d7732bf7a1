"""What a network learns from when no picture is clean: pairs of noisy pictures, or noisy pictures alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from einops import rearrange, reduce

from restoration.metrics import decibels
from restoration.picture import round_to_levels

if TYPE_CHECKING:
    from torch import Tensor

    from restoration import Network, NoiseSchedule, RowGenerators

Norm = Literal["l2", "l1", "l0", "psnr"]

SMALL = 1e-8
"""What is added to errors before they are raised to a power, so that the slope at none is finite."""
NEIGHBOURS = torch.tensor([(0, 1), (0, 2), (1, 0), (1, 3), (2, 0), (2, 3), (3, 1), (3, 2)])
"""The pairs of pixels of a cell of 2x2, counted row by row, that lie beside or above each other."""


class PairMatching:
    """The network maps one noisy picture to another of the same scene (Lehtinen et al., ICML 2018, arXiv:1803.04189).

    It cannot know the noise of the other, and so learns the mean of all that it may be: the clean picture, where the
    mean of the noise is 0. `x` and `y` are the two noisy pictures.

    * `norm`: "l2", for noise of mean 0; "l1", which learns the median, as for text over a picture; or "l0", the most
      frequent value, as for impulses of any colour: errors to a power that falls from 2 to 0 in the training; "psnr",
      the negative PSNR of each row in dB: as "l2" for noise whose strength varies, noisier pairs count less.
    * `clipped`: the share of inputs that are clipped to black and white and rounded to 256 levels, as files are.
      Targets never are: the mean of clipped noise is not 0.
    * `swap`: whether the two change places in half of the rows. It matters for pairs that were photographed.
    * `hue`: the largest angle by which the colours of both are turned, in degrees.
    * `brightness`: the largest change of the brightness of both, as a share of it.
    """

    def __init__(
        self,
        *,
        norm: Norm = "l2",
        clipped: float = 0.5,
        swap: bool = True,
        hue: float = 0.0,
        brightness: float = 0.0,
    ) -> None:
        _check_share("clipped", clipped)
        _check_share("brightness", brightness)
        if not 0 <= hue <= 180:
            raise ValueError(f"hue must be an angle of 0 to 180 degrees, not {hue}")
        self.norm, self.clipped, self.swap, self.hue, self.brightness = norm, clipped, swap, hue, brightness
        self.progress = 0.0

    def loss(
        self, network: Network, schedule: NoiseSchedule | None, x: Tensor, y: Tensor, rng: RowGenerators
    ) -> Tensor:
        """Return one loss an image, `b`, for two noisy pictures of each. There is no path: `schedule` is not used."""
        swapped, clipped, turned, lighter = (rng.uniform().to(y.device)[:, None, None, None] for _ in range(4))
        if self.swap:
            x, y = torch.where(swapped < 0.5, x, y), torch.where(swapped < 0.5, y, x)
        if self.hue and y.shape[1] == 3:
            matrix = _hue_rotations((2 * turned.flatten() - 1) * math.radians(self.hue))
            with torch.autocast(y.device.type, enabled=False):  # colours have more than the 8 bits of bfloat16
                x, y = (torch.einsum("bdc, bchw -> bdhw", matrix, one) for one in (x, y))
        if self.brightness:
            factor = 1 + (2 * lighter - 1) * self.brightness
            x, y = x * factor, y * factor
        seen = torch.where(clipped < self.clipped, round_to_levels(y), y)
        error = self.clean(network, schedule, seen, seen, y.new_ones(y.shape[0])) - x
        cost = reduce(self._cost(error), "b c h w -> b", "mean")
        return decibels(cost) if self.norm == "psnr" else cost

    def clean(self, network: Network, schedule: NoiseSchedule | None, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Return the answer of the network to the degraded picture, `b c h w`."""
        return network(y, y, torch.ones_like(t)).to(y.dtype)

    def _cost(self, error: Tensor) -> Tensor:
        if self.norm == "l0":
            return (error.abs() + SMALL) ** (2 * (1 - self.progress))
        return error.abs() if self.norm == "l1" else error.square()


class NeighbourMatching:
    """The network learns from noisy pictures alone (Huang et al., Neighbor2Neighbor, CVPR 2021, arXiv:2101.02824).

    Of each cell of 2x2 pixels two neighbours are drawn, which make two pictures of half the size with noise of their
    own; the network maps one to the other (equation 9). That they show places half a pixel apart is made up for by what
    the network makes of the whole picture. The noise of a pixel must not depend on that of its neighbours: pictures
    that were made smaller, or compressed much, are not for it.

    * `strength`: the weight of the second term at the end of the training, up to which it grows from 0.
    * `clipped`: the share of inputs that are clipped and rounded, see `PairMatching`.
    """

    def __init__(self, *, strength: float = 2.0, clipped: float = 0.0) -> None:
        _check_share("clipped", clipped)
        if strength < 0:
            raise ValueError(f"strength must be at least 0, not {strength}")
        self.strength, self.clipped = strength, clipped
        self.progress = 0.0

    def loss(
        self, network: Network, schedule: NoiseSchedule | None, x: Tensor, y: Tensor, rng: RowGenerators
    ) -> Tensor:
        """Return one loss an image, `b`, for noisy pictures `y` of at least 2x2 pixels; nothing else is used."""
        y = y[..., : y.shape[-2] // 2 * 2, : y.shape[-1] // 2 * 2]
        clipped = rng.uniform().to(y.device)[:, None, None, None] < self.clipped
        pair = NEIGHBOURS[rng.integers(0, len(NEIGHBOURS), y.shape[-2] // 2, y.shape[-1] // 2)].to(y.device)
        seen, t = torch.where(clipped, round_to_levels(y), y), y.new_ones(y.shape[0])
        with torch.no_grad():
            whole = self.clean(network, schedule, seen, seen, t)
        first, second = _drawn(seen, pair[..., 0]), _drawn(y, pair[..., 1])
        error = self.clean(network, schedule, first, first, t) - second
        apart = _drawn(whole, pair[..., 0]) - _drawn(whole, pair[..., 1])
        cost = error.square() + self.strength * self.progress * (error - apart).square()
        return reduce(cost, "b c h w -> b", "mean")

    def clean(self, network: Network, schedule: NoiseSchedule | None, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Return the answer of the network to the degraded picture, `b c h w`."""
        return network(y, y, torch.ones_like(t)).to(y.dtype)


def _drawn(y: Tensor, place: Tensor) -> Tensor:
    """Return one pixel of each cell of 2x2, `b c h w`, by its place in it, `b h w`, 0 to 3."""
    cells = rearrange(y, "b c (h i) (w j) -> b c h w (i j)", i=2, j=2)
    chosen = place[:, None, :, :, None].expand(-1, y.shape[1], -1, -1, 1)
    return cells.gather(-1, chosen)[..., 0]


def _hue_rotations(angle: Tensor) -> Tensor:
    """Return matrices, `b 3 3`, that turn colours around the axis of grey by angles `b` in radians (Rodrigues)."""
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None] / math.sqrt(3)
    cross = angle.new_tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    eye = torch.eye(3, dtype=angle.dtype, device=angle.device)
    return cosine * eye + (1 - cosine) / 3 + sine * cross


def _check_share(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"{name} must be from 0 to 1, not {share}")
