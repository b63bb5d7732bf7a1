"""Blur: a camera that shook, a lens out of focus, or any kernel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from einops import rearrange

from restoration import Observation
from restoration.operators import Convolution
from restoration.picture import round_to_levels
from restoration_tasks.drawing import between, uniform
from restoration_tasks.kernels import read_kernel
from restoration_tasks.motion import move

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Generator, Tensor

    from restoration import Picture

    Array = NDArray[np.float32]

Kind = Literal["shake", "defocus", "motion", "mixed", "all"]
DEFOCUSED = {"shake": 0.0, "defocus": 1.0, "motion": 0.0, "mixed": 0.25, "all": 0.25}
"""The share of the pictures blurred by a kernel that are out of focus."""
MOVED = {"motion": 1.0, "all": 0.4}
"""The share of pictures that are blurred by no kernel, but by motion that is not the same everywhere."""
STEPS = 96
"""Positions of the camera while the shutter is open."""


class Blur:
    """Blurs pictures, each with a kernel of its own, adds a little noise and rounds to 8 bits.

    * `kind`: "shake", the path of a hand (a random walk with inertia, drawn between the pixels, after Boracchi and Foi,
      "Modeling the Performance of Image Restoration From Motion Blur", 2012), "defocus", a disc, "mixed", a quarter of
      the pictures defocused, "motion", which differs from place to place, see `motion.move`, and has no operator, or
      "all", two fifths by motion and the others as "mixed".
    * `extent`: how far a shake reaches in pixels (discs are 0.6 of it across), drawn log-uniformly from a range, since
      most hands shake a little.
    * `noise`: its standard deviation, in levels of 255.
    * `kernel`: one kernel for all, see `read_kernel`: a file, an array, a tensor or an image.
    """

    def __init__(
        self,
        *,
        kind: Kind | None = None,
        extent: float | tuple[float, float] | None = None,
        noise: float | tuple[float, float] = (0.0, 2.0),
        kernel: str | Any | None = None,
    ) -> None:
        if kernel is not None and (kind is not None or extent is not None):
            raise ValueError("the blur is that of the kernel: kind and extent are for kernels that are drawn")
        self.kind: Kind = "mixed" if kind is None else kind
        self.kernel, extent = kernel, (2.0, 21.0) if extent is None else extent
        self.extent, self.noise = between("extent", extent, 1, 101), between("noise", noise, 0, 255)

    def __call__(self, x: Tensor, rng: Generator) -> Tensor:
        """Return blurred pictures, `b c h w`."""
        return self.observe(x, rng).y

    def observe(self, x: Tensor, rng: Generator) -> Observation:
        """Return blurred pictures and the operator that blurred them."""
        batch = x.shape[0]
        operator: Convolution | None
        if self.kernel is None and self.kind in MOVED:
            operator, y = None, self._moved(x, rng)
        else:
            operator = Convolution(self._draw(batch, rng) if self.kernel is None else read_kernel(self.kernel))
            y = operator(x)
        noise = uniform(batch, *self.noise, rng) / 255
        y = y + noise * torch.randn(x.shape, generator=rng)
        return Observation(y=round_to_levels(y), operator=operator, sigma=float(noise.mean()))

    def describe(self, picture: Picture) -> Observation:
        """Return what is known about a blurred picture: its kernel, if there is a file of it."""
        operator = None if self.kernel is None else Convolution(read_kernel(self.kernel))
        return Observation(y=picture.pixels, operator=operator)

    def _extent(self, batch: int, rng: Generator) -> Tensor:
        low, high = self.extent
        return low * (high / low) ** uniform(batch, 0, 1, rng)

    def _draw(self, batch: int, rng: Generator) -> Tensor:
        extent = self._extent(batch, rng)
        side = 2 * math.ceil(self.extent[1] / 2) + 3
        defocused = uniform(batch, 0, 1, rng) < DEFOCUSED[self.kind]
        return torch.where(defocused, disc(extent * 0.6, side), shake(extent, side, rng))

    def _moved(self, x: Tensor, rng: Generator) -> Tensor:
        """Return pictures of which some, or all, are blurred by motion that is not the same everywhere."""
        moved = uniform(len(x), 0, 1, rng).flatten() < MOVED[self.kind]
        path = draw_path(self._extent(len(x), rng), rng)
        y = x.clone() if bool(moved.all()) else Convolution(self._draw(len(x), rng))(x)
        y[moved] = move(x[moved], path[moved], rng)
        return y


def shake(extent: Tensor, side: int, rng: Generator) -> Tensor:
    """Return kernels of shaken cameras, `b 1 side side`: paths that reach over `extent`, `b 1 1 1`, pixels."""
    track = draw_path(extent, rng)
    return _splatted(track.clamp(-(side // 2 - 1), side // 2 - 1), side)


def draw_path(extent: Tensor, rng: Generator) -> Tensor:
    """Draw the shifts of shaken cameras, `b n (x y)` in pixels around 0, that reach over `extent`, `b 1 1 1`."""
    batch = extent.shape[0]
    inertia, pull, jerk = (
        uniform(batch, *limits, rng)[:, 0, 0] for limits in ((0.88, 0.998), (0.0, 0.003), (0.0, 0.03))
    )
    push = torch.randn(STEPS, batch, 2, generator=rng)
    jerked = torch.rand(STEPS, batch, 1, generator=rng) < jerk
    speed = torch.randn(batch, 2, generator=rng)
    path = _walk(*(drawn.numpy() for drawn in (inertia, pull, push, jerked, speed)))
    track = rearrange(torch.from_numpy(path), "n b d -> b n d")
    track = track - track.mean(dim=1, keepdim=True)
    track = track / (2 * track.norm(dim=2).amax(dim=1)).clamp(min=1e-6)[:, None, None]
    shifts: Tensor = track * (extent[:, :, 0] - 1).clamp(min=0)
    return shifts


def _walk(inertia: Array, pull: Array, push: Array, jerked: NDArray[np.bool_], speed: Array) -> Array:
    """Return the positions of a hand after each push, `n b d`: in NumPy, since nearly all of a small step is its call.

    The last axis is across and down. `push` is `n b d`, `jerked` `n b 1`, the others `b 1` and, the first speed, `b d`.
    """
    place, path = np.zeros_like(speed), np.empty_like(push)
    minded, turned = (1 - inertia) * push, np.float32(-1.5)
    anywhere = jerked.reshape(len(push), -1).max(axis=1).tolist()
    for step in range(len(push)):
        speed = inertia * speed + minded[step] - pull * place
        if anywhere[step]:
            speed = np.where(jerked[step], turned * speed + push[step], speed)
        place = place + speed
        path[step] = place
    return path


def _splatted(track: Tensor, side: int) -> Tensor:
    """Spread points, `b n (x y)` from the middle, over the four pixels around each: `b 1 side side`, sum 1."""
    batch, number, _ = track.shape
    place = track + side // 2
    corner = place.floor()
    part = place - corner
    kernel = torch.zeros(batch, side * side)
    for right in (0, 1):
        for down in (0, 1):
            across = part[..., 0] if right else 1 - part[..., 0]
            along = part[..., 1] if down else 1 - part[..., 1]
            index = (corner[..., 1].long() + down) * side + corner[..., 0].long() + right
            kernel.scatter_add_(1, index, across * along / number)
    return rearrange(kernel, "b (k l) -> b 1 k l", k=side)


def disc(diameter: Tensor, side: int) -> Tensor:
    """Return discs of light, `b 1 side side`, for diameters `b 1 1 1` in pixels; the rim is one pixel soft."""
    place = torch.arange(side) - side // 2
    distance = (place[:, None] ** 2 + place**2).sqrt()
    kernel = (diameter / 2 + 0.5 - distance).clamp(0, 1)
    return kernel / kernel.sum(dim=(2, 3), keepdim=True)
