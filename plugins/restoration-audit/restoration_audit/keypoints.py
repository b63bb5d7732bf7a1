"""Places of a picture that are found again in a copy of it, each with a descriptor of what it looks like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch.nn import functional

from restoration.smoothing import blurred

if TYPE_CHECKING:
    from torch import Tensor

Symmetry = tuple[bool, bool, bool]
"""One of the eight of the square: mirror left to right, mirror top to bottom, then transpose."""
SYMMETRIES: dict[Symmetry, str] = {
    (False, False, False): "",
    (True, False, True): "rotated 90° left",
    (True, True, False): "rotated 180°",
    (False, True, True): "rotated 90° right",
    (True, False, False): "mirrored",
    (False, False, True): "mirrored, rotated 90° left",
    (False, True, False): "mirrored, rotated 180°",
    (True, True, True): "mirrored, rotated 90° right",
}
LEVELS = 3
"""Scales in an octave; Lowe (2004), section 3."""
FINEST = 1.4
"""Standard deviation of the first level, in pixels."""
SAMPLES, FREQUENCIES = 12, 7
"""A patch has SAMPLES by SAMPLES, each the scale of the keypoint from the next; of its cosine transform the lowest
FREQUENCIES by FREQUENCIES are kept."""
FAINTEST = 0.0015
"""Fainter extrema, of a picture in [0, 1], are noise."""
EDGE = 10.0
"""Extrema that are longer than wide by more lie on edges; Lowe (2004), section 4.1."""
CELL, IN_CELL = 48, 8
"""The strongest IN_CELL keypoints of each CELL by CELL pixels are kept, so that every part of a picture has some."""


@dataclass(frozen=True, kw_only=True)
class Keypoints:
    """Keypoints: `places`, `n 2` (x, y), `scales`, `n`, both in pixels, and `descriptors`, `n d`, of length 1.

    A picture spans from 0 to its width and height; a scale is the standard deviation of a Gaussian.
    """

    places: Tensor
    scales: Tensor
    descriptors: Tensor

    def __len__(self) -> int:
        return len(self.places)


def turned(picture: Tensor, symmetry: Symmetry) -> Tensor:
    """Apply a symmetry to the last two axes of a picture."""
    mirror_x, mirror_y, transpose = symmetry
    axes = [axis for axis, wanted in ((-1, mirror_x), (-2, mirror_y)) if wanted]
    picture = picture.flip(axes) if axes else picture
    return picture.transpose(-1, -2) if transpose else picture


def inverse(symmetry: Symmetry) -> Symmetry:
    """Return the symmetry that undoes one."""
    mirror_x, mirror_y, transpose = symmetry
    return (mirror_y, mirror_x, True) if transpose else symmetry


def turned_places(places: Tensor, sizes: Tensor, symmetry: Symmetry) -> Tensor:
    """Return where places, `n 2` (x, y), of pictures of `sizes`, `2` or `n 2` (width, height), lie after a symmetry."""
    mirrored = torch.where(torch.tensor(symmetry[:2]), sizes - places, places)
    return mirrored.flip(-1) if symmetry[2] else mirrored


def turned_descriptors(descriptors: Tensor, symmetry: Symmetry) -> Tensor:
    """Return the descriptors, `n d`, that keypoints have after a symmetry: cosines change signs, axes change places."""
    coefficients = functional.pad(descriptors, (1, 0))
    square = rearrange(coefficients, "n (v u) -> n v u", u=FREQUENCIES).clone()
    if symmetry[0]:
        square[:, :, 1::2] *= -1
    if symmetry[1]:
        square[:, 1::2] *= -1
    if symmetry[2]:
        square = square.transpose(1, 2)
    return rearrange(square, "n v u -> n (v u)")[:, 1:]


def find(picture: Tensor) -> Keypoints:
    """Find the keypoints of a grey picture, `h w` in [0, 1]: extrema of differences of Gaussians (Lowe, 2004)."""
    level = blurred(picture[None, None], math.sqrt(FINEST**2 - 0.5**2))
    found, step = [], 1
    while min(level.shape[-2:]) >= 2 * SAMPLES:
        levels = [level]
        for index in range(1, LEVELS + 3):
            sigma = FINEST * 2 ** ((index - 1) / LEVELS)
            levels.append(blurred(levels[-1], sigma * math.sqrt(2 ** (2 / LEVELS) - 1)))
        stack = torch.cat(levels, dim=1)[0]
        found.append(_octave(stack, step))
        level, step = levels[LEVELS][:, :, ::2, ::2], 2 * step
    if not found:
        empty = torch.empty(0, FREQUENCIES**2 - 1)
        return Keypoints(places=torch.empty(0, 2), scales=torch.empty(0), descriptors=empty)
    places, scales, strengths, descriptors = (torch.cat(part) for part in zip(*found, strict=True))
    kept = _spread(places, strengths)
    return Keypoints(places=places[kept], scales=scales[kept], descriptors=descriptors[kept])


def _octave(levels: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return places, scales, strengths and descriptors of the keypoints of one octave, `l h w`."""
    difference = levels[1:] - levels[:-1]
    s, y, x = _extrema(difference)
    strength = difference[s, y, x].abs()
    ds, dy, dx = _beside(difference, s, y, x)
    sigma, u, v = FINEST * 2 ** ((s + ds) / LEVELS), x + dx, y + dy
    reach = 0.4 * (SAMPLES - 1) * sigma  # a fifth of the patch may lie outside, where the border is repeated
    height, width = levels.shape[-2:]
    inside = (u >= reach) & (v >= reach) & (u <= width - 1 - reach) & (v <= height - 1 - reach)
    s, u, v, sigma, strength = s[inside], u[inside], v[inside], sigma[inside], strength[inside]
    descriptors = torch.empty(len(s), FREQUENCIES**2 - 1)
    for level in range(1, LEVELS + 1):
        here = (s == level).nonzero()[:, 0]
        descriptors[here] = _described(levels[level], u[here], v[here], sigma[here])
    return torch.stack((u, v), dim=1) * step + 0.5, sigma * step, strength, descriptors


def _extrema(difference: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the indices (level, y, x) of the extrema in space and scale that are no edges."""
    inner = difference[1:-1, 1:-1, 1:-1]
    extreme = ((inner >= _highest(difference)) | (inner <= -_highest(-difference))) & (inner.abs() > FAINTEST)
    s, y, x = (index + 1 for index in extreme.nonzero(as_tuple=True))
    centre = difference[s, y, x]
    dxx = difference[s, y, x + 1] + difference[s, y, x - 1] - 2 * centre
    dyy = difference[s, y + 1, x] + difference[s, y - 1, x] - 2 * centre
    right, left = (difference[s, y + 1, x + side] - difference[s, y - 1, x + side] for side in (1, -1))
    dxy = (right - left) / 4
    corner = (dxx + dyy) ** 2 < (EDGE + 1) ** 2 / EDGE * (dxx * dyy - dxy**2)
    return s[corner], y[corner], x[corner]


def _beside(difference: Tensor, s: Tensor, y: Tensor, x: Tensor) -> list[Tensor]:
    """Return how far beside its index (level, y, x) each extremum lies, by a parabola along each axis."""
    moves = []
    for axis in range(3):
        a, b, c = (int(axis == one) for one in range(3))
        before, here, after = difference[s - a, y - b, x - c], difference[s, y, x], difference[s + a, y + b, x + c]
        moves.append((0.5 * (before - after) / (after + before - 2 * here)).nan_to_num().clamp(-0.5, 0.5))
    return moves


def _highest(volume: Tensor) -> Tensor:
    """Return the maximum of the 27 neighbours, themselves included, of all inner places of a volume."""
    for axis in range(3):
        length = volume.shape[axis] - 2
        before, here, after = (volume.narrow(axis, start, length) for start in range(3))
        volume = torch.maximum(torch.maximum(before, here), after)
    return volume


def _described(level: Tensor, u: Tensor, v: Tensor, sigma: Tensor) -> Tensor:
    """Return the descriptors, `n d`, of patches around (u, v) of one level, `h w`.

    These are the cosine transform without the mean, times the frequency: photographs fall off with 1/f, so that this
    makes all coefficients count alike.
    """
    place = torch.arange(SAMPLES) - (SAMPLES - 1) / 2
    size = torch.tensor([level.shape[1] - 1, level.shape[0] - 1])
    gx = u[:, None, None] + sigma[:, None, None] * place[None, None, :]
    gy = v[:, None, None] + sigma[:, None, None] * place[None, :, None]
    side = (-1, SAMPLES, SAMPLES)
    grid = torch.stack((gx.expand(side), gy.expand(side)), dim=-1) / size * 2 - 1
    patches = functional.grid_sample(
        level[None, None], rearrange(grid, "n a b two -> 1 n (a b) two"), padding_mode="border", align_corners=True
    )
    patches = rearrange(patches, "1 1 n (a b) -> n a b", a=SAMPLES)
    frequency = torch.arange(FREQUENCIES)
    cosines = torch.cos(math.pi * frequency[:, None] * (torch.arange(SAMPLES) + 0.5) / SAMPLES)
    weights = torch.hypot(frequency[:, None].float(), frequency[None].float())
    coefficients = torch.einsum("va,nab,ub->nvu", cosines, patches, cosines) * weights
    return functional.normalize(rearrange(coefficients, "n v u -> n (v u)")[:, 1:], dim=1)


def _spread(places: Tensor, strengths: Tensor) -> Tensor:
    """Return the indices of the strongest keypoints of every cell."""
    cells = (places / CELL).long()
    cell = cells[:, 1] * 100_000 + cells[:, 0]
    order = strengths.argsort(descending=True)
    order = order[cell[order].argsort(stable=True)]
    _, counts = torch.unique_consecutive(cell[order], return_counts=True)
    rank = torch.arange(len(order)) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    return order[rank < IN_CELL]
