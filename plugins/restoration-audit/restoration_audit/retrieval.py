"""Which pictures may lie in which: pairs of descriptors that are alike vote for a scale and an offset.

This is the generalised Hough transform, and then least squares (Lowe, 2004, sections 7.3 and 7.4).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from restoration_audit.keypoints import SYMMETRIES, Keypoints, Symmetry, inverse, turned_descriptors, turned_places
from restoration_audit.registration import Box, Placement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

ALIKE = 0.9
"""The least cosine between descriptors of the same place."""
CELLS, MEMBERSHIPS = 256, 4
"""Descriptors are indexed in at most CELLS cells; each lies in the MEMBERSHIPS cells whose centres are nearest."""
AGREEING = 4
"""The least number of keypoints that put a picture to the same place."""
TOLERANCES = (0.2, 0.1, 0.04)
"""How far from its place a keypoint may be, as a part of the span of all that agree, fit after fit."""
KINDS = tuple(SYMMETRIES)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A picture that was looked for and, once turned, may lie in another: both by index.

    `box`, in the turned picture, holds the `votes` keypoints that agree on the placement.
    """

    wanted: int
    other: int
    symmetry: Symmetry
    placement: Placement
    box: Box
    votes: int


class Cells:
    """An inverted file of descriptors, `n d`: cells around some of them; a query is compared with those of its cell."""

    def __init__(self, descriptors: Tensor) -> None:
        number = max(1, min(CELLS, len(descriptors) // 64))
        chosen = torch.randperm(len(descriptors), generator=torch.Generator().manual_seed(0))[:number]
        self.centres = descriptors[chosen]
        near = min(MEMBERSHIPS, len(chosen))
        nearest = [(part @ self.centres.T).topk(near, dim=1).indices for part in torch.split(descriptors, 8192)]
        cells, order = torch.cat(nearest).flatten().sort()
        self.owners = torch.split(order // near, torch.bincount(cells, minlength=len(chosen)).tolist())
        self.members = [descriptors[owners] for owners in self.owners]

    def alike(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pairs (query, descriptor) that look alike, as two lists of indices."""
        cells, order = torch.cat([(part @ self.centres.T).argmax(dim=1) for part in torch.split(queries, 8192)]).sort()
        asking = torch.split(order, torch.bincount(cells, minlength=len(self.centres)).tolist())
        first, second = [order[:0]], [order[:0]]
        for rows, owners, members in zip(asking, self.owners, self.members, strict=True):
            row, column = (queries[rows] @ members.T > ALIKE).nonzero(as_tuple=True)
            first.append(rows[row])
            second.append(owners[column])
        return torch.cat(first), torch.cat(second)


class Joined:
    """The keypoints of several pictures as one list, each with the index of its picture."""

    def __init__(self, pictures: Sequence[Keypoints]) -> None:
        self.owners = torch.repeat_interleave(torch.tensor([len(one) for one in pictures]))
        self.places = torch.cat([one.places for one in pictures])
        self.scales = torch.cat([one.scales for one in pictures])
        self.descriptors = torch.cat([one.descriptors for one in pictures])


class Retrieval:
    """Pictures that are looked for, by their keypoints and sizes (width, height)."""

    def __init__(self, pictures: Sequence[Keypoints], sizes: Sequence[tuple[int, int]]) -> None:
        self.own, self.sizes = Joined(pictures), torch.tensor(sizes, dtype=torch.float32)
        self.cells = Cells(self.own.descriptors) if len(self.own.places) else None

    def candidates(self, pictures: Sequence[Keypoints]) -> list[Candidate]:
        """Return which pictures may lie in these, after any of the eight symmetries; those with most votes first."""
        others, found = Joined(pictures), []
        if self.cells is None or not len(others.places):
            return []
        queries = torch.cat([turned_descriptors(others.descriptors, inverse(one)) for one in KINDS])
        query, own = self.cells.alike(queries)
        kind, other = query // len(others.places), query % len(others.places)
        wanted = self.own.owners[own]
        x, centre = self._turned(own, wanted, kind)
        y, ratio = others.places[other], others.scales[other] / self.own.scales[own]
        pair = (others.owners[other] * len(self.sizes) + wanted) * len(KINDS) + kind
        unit = self.sizes[wanted].amax(dim=1) / 4
        for votes in _elected(pair, ratio, y + ratio[:, None] * (centre - x), unit):
            fitted = _fitted(x[votes], y[votes], ratio[votes])
            if fitted:
                placement, box, number = fitted
                first = votes[0]
                found.append(
                    Candidate(
                        wanted=int(wanted[first]),
                        other=int(others.owners[other[first]]),
                        symmetry=KINDS[int(kind[first])],
                        placement=placement,
                        box=box,
                        votes=number,
                    )
                )
        return sorted(found, key=lambda one: -one.votes)

    def _turned(self, own: Tensor, wanted: Tensor, kind: Tensor) -> tuple[Tensor, Tensor]:
        """Return the places of keypoints, and the centres of their pictures, after the symmetries `kind`."""
        x, centre = self.own.places[own], self.sizes[wanted] / 2
        for index, symmetry in enumerate(KINDS):
            mine = (kind == index).nonzero()[:, 0]
            size = self.sizes[wanted[mine]]
            x[mine] = turned_places(x[mine], size, symmetry)
            centre[mine] = turned_places(centre[mine], size, symmetry)
        return x, centre


def _elected(pair: Tensor, ratio: Tensor, centre: Tensor, unit: Tensor) -> list[Tensor]:
    """Return, for every pair of pictures with votes enough, the matches in its fullest bin.

    A bin is half an octave of `ratio` by a `unit` of `centre`, at that scale; bins overlap by half, so that no group of
    votes is cut.
    """
    keys = []
    for shift in itertools.product((0.0, 0.5), repeat=3):
        octave = (2 * ratio.log2() + shift[0]).floor()
        bins = (centre / (unit * 2 ** (octave / 2))[:, None] + torch.tensor(shift[1:])).floor().clamp(-500, 500)
        keys.append(
            ((pair * 100 + octave.long() + 50) * 1001 + bins[:, 0].long() + 500) * 1001 + bins[:, 1].long() + 500
        )
    counts = []
    for key in keys:
        _, which, number = torch.unique(key, return_inverse=True, return_counts=True)
        counts.append(number[which])
    height, shift_of = torch.stack(counts).max(dim=0)
    order = height.argsort(descending=True)
    order = order[height[order] >= AGREEING]
    order = order[pair[order].argsort(stable=True)]
    _, lengths = torch.unique_consecutive(pair[order], return_counts=True)
    leaders = order[lengths.cumsum(0) - lengths].tolist()
    return [(keys[int(shift_of[one])] == keys[int(shift_of[one])][one]).nonzero()[:, 0] for one in leaders]


def _fitted(x: Tensor, y: Tensor, ratio: Tensor) -> tuple[Placement, Box, int] | None:
    """Fit `y = scale * x + offset` by least squares to those matches, `n 2`, that agree; None if too few do."""
    scale = float(ratio.median())
    offset = (y - scale * x).median(dim=0).values
    for tolerance in TOLERANCES:
        span = float((x.amax(dim=0) - x.amin(dim=0)).max())
        good = (y - scale * x - offset).norm(dim=1) / scale < max(tolerance * span, 3.0)
        x, y = x[good], y[good]
        number = min(len(torch.unique(side, dim=0)) for side in (x, y)) if len(x) else 0
        if number < AGREEING:
            return None
        dx, dy = x - x.mean(dim=0), y - y.mean(dim=0)
        fitted = float((dx * dy).sum() / dx.square().sum())
        if not 0.7 < fitted / scale < 1.4:
            return None
        scale, offset = fitted, y.mean(dim=0) - fitted * x.mean(dim=0)
    left, top, right, bottom = *x.amin(dim=0).tolist(), *x.amax(dim=0).tolist()
    placement = Placement(scale=(scale, scale), offset=(float(offset[0]), float(offset[1])))
    return placement, (left, top, right, bottom), number
