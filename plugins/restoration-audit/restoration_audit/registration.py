"""One picture laid upon another: the overlap found to a fraction of a pixel, and how well the two agree there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch.nn import functional

from restoration.smoothing import local_mean

if TYPE_CHECKING:
    from torch import Tensor

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""
COARSE, FINE = 48, 160
"""Samples along the longer side of the overlap, first and last."""
SLIMMEST = 8
"""Samples along its shorter side, at least."""
STEPS = 6
"""Gauss-Newton steps at each of the two."""
HOPELESS = 0.5
"""A correlation after the first of the two below which the pictures are no copies."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a first picture lies in a second: a point p is at `scale * p + offset`, in pixels, x before y.

    Pictures span from 0 to their width and height.
    """

    scale: tuple[float, float]
    offset: tuple[float, float]

    def overlap(self, first: Tensor, second: Tensor) -> Box:
        """Return the part of a first picture, `h w`, that a second one covers."""
        (left, top), (right, bottom) = zip(
            *(
                (max(0.0, -offset / scale), min(float(own), (other - offset) / scale))
                for scale, offset, own, other in zip(
                    self.scale, self.offset, reversed(first.shape), reversed(second.shape), strict=True
                )
            ),
            strict=True,
        )
        return left, top, right, bottom


@dataclass(frozen=True, kw_only=True)
class Registration:
    """A placement, the part of the first picture that was compared, and two normalised cross-correlations there.

    `correlation` is that of the grey values, `detail` that of their differences from the local mean.
    """

    placement: Placement
    box: Box
    correlation: float
    detail: float


def register(first: Tensor, second: Tensor, placement: Placement, part: Box | None = None) -> Registration | None:
    """Refine where a grey picture `h w` lies in another, by least squares over scales, offsets, gain and bias.

    `placement` must be right to about a twentieth of the overlap; `part`, of the first picture, limits what is
    compared. Returns None where the two do not hold together. This is Gauss-Newton image alignment (Lucas and Kanade,
    1981).
    """
    wanted = got = torch.empty(0)
    box = _compared(placement, first, second, part)
    for samples in (COARSE, FINE):
        sides = box[2] - box[0], box[3] - box[1]
        step = max(1.0, 1 / min(placement.scale), max(sides) / samples)
        if min(sides) < SLIMMEST * step:
            return None
        own, other = _shrunk(first, 1 / step), _shrunk(second, 1 / (step * max(placement.scale)))
        xs, ys = (torch.arange(box[axis] + step, box[axis + 2] - step, step) for axis in (0, 1))
        wanted = _sampled(own, xs / first.shape[1], ys / first.shape[0])
        refined = _refined(wanted, other, second.shape, xs, ys, placement)
        if refined is None:
            return None
        placement, got = refined
        box = _compared(placement, first, second, part)
        if _correlation(wanted, got) < HOPELESS:
            return None
    return Registration(
        placement=placement,
        box=box,
        correlation=_correlation(wanted, got),
        detail=_correlation(_detail(wanted), _detail(got)),
    )


def _compared(placement: Placement, first: Tensor, second: Tensor, part: Box | None) -> Box:
    """Return the overlap of two pictures, or what of it lies in a part of the first."""
    box = placement.overlap(first, second)
    if part is None:
        return box
    return max(box[0], part[0]), max(box[1], part[1]), min(box[2], part[2]), min(box[3], part[3])


def _refined(
    wanted: Tensor, other: Tensor, size: torch.Size, xs: Tensor, ys: Tensor, placement: Placement
) -> tuple[Placement, Tensor] | None:
    """Return the placement at which a picture looks most like `wanted`, and that look, both `y x` on a lattice.

    `other` is the picture, perhaps made smaller; `size` (height, width) is what it was. Returns None if it drifts away.
    """
    x0, y0, step = float(xs.mean()), float(ys.mean()), float(xs[1] - xs[0])
    span = step * max(len(xs), len(ys))
    u, v = torch.meshgrid((xs - x0) / span, (ys - y0) / span, indexing="xy")
    first, placed = placement, placement
    for _ in range(STEPS):
        got = _placed(other, size, xs, ys, placed)
        dy, dx = torch.gradient(got, spacing=step)
        terms = torch.stack((got, torch.ones_like(got), dx, dx * u, dy, dy * v), dim=-1)
        terms = rearrange(terms, "y x term -> (y x) term").double()
        squares = terms.T @ terms
        squares += 1e-9 * squares.diagonal().mean() * torch.eye(6, dtype=torch.float64)
        gain, _, *moves = torch.linalg.solve(squares, terms.T @ wanted.flatten().double()).tolist()
        if gain < 0.05:
            return None
        ax, bx, ay, by = (max(-span / 8, min(span / 8, move / gain)) for move in moves)
        (sx, sy), (ox, oy) = placed.scale, placed.offset
        placed = Placement(
            scale=(sx * (1 + bx / span), sy * (1 + by / span)),
            offset=(ox + sx * (ax - bx / span * x0), oy + sy * (ay - by / span * y0)),
        )
        if any(not 0.85 < now / before < 1.15 for now, before in zip(placed.scale, first.scale, strict=True)):
            return None
    return placed, _placed(other, size, xs, ys, placed)


def _placed(picture: Tensor, size: torch.Size, xs: Tensor, ys: Tensor, placement: Placement) -> Tensor:
    """Sample a picture of `size` where a placement puts the places (xs, ys)."""
    (sx, sy), (ox, oy) = placement.scale, placement.offset
    return _sampled(picture, (sx * xs + ox) / size[1], (sy * ys + oy) / size[0])


def _sampled(picture: Tensor, xs: Tensor, ys: Tensor) -> Tensor:
    """Sample a picture `h w` on a lattice, `y x`, of places from 0 to 1."""
    grid = torch.stack(torch.meshgrid(2 * xs - 1, 2 * ys - 1, indexing="xy"), dim=-1)[None]
    sampled = functional.grid_sample(
        picture[None, None], grid, mode="bicubic", padding_mode="border", align_corners=False
    )
    return sampled[0, 0]


def _shrunk(picture: Tensor, scale: float) -> Tensor:
    """Make a picture `h w` smaller, without aliases; one that would hardly change stays."""
    if scale > 0.95:
        return picture
    size = [max(2, round(scale * side)) for side in picture.shape]
    return functional.interpolate(picture[None, None], size, mode="bilinear", antialias=True)[0, 0]


def _detail(picture: Tensor, radius: int = 6) -> Tensor:
    """Return what is left of `h w` without the mean over a window around every place."""
    return picture - local_mean(picture[None, None], radius)[0, 0]


def _correlation(one: Tensor, other: Tensor) -> float:
    """Return the normalised cross-correlation, without the means; 0 where one of the two is flat."""
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-6))
