"""Are pictures of a test set inside a training set? Whole or in part, turned, mirrored, resized or compressed again."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from restoration.images import CLEAN, Source, pairs_in, read
from restoration_audit.keypoints import SYMMETRIES, find, inverse, turned, turned_places
from restoration_audit.registration import register
from restoration_audit.retrieval import AGREEING, Candidate, Retrieval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from restoration_audit.keypoints import Keypoints, Symmetry
    from restoration_audit.registration import Registration

LARGEST, SMALLEST = 1024, 256
"""Pictures with a longer side over the first are made smaller for the search, those under the second twice as large."""
AT_ONCE = 16
"""Training pictures that are compared in one go."""
CORRELATION, DETAIL = 0.85, 0.6
"""What an overlap must reach. In detail, different photographs stay under 0.4; copies at JPEG quality 30 pass 0.7."""
PART_DETAIL, PART_VOTES = 0.85, AGREEING + 2
"""What a part of an overlap must reach, as where a piece of one picture was put into another."""
LEAST_SHARE = 1 / 16
"""Of one of the two pictures: less of them in common may be chance."""
FEWEST = 4 * AGREEING
"""A test picture with fewer keypoints is too smooth to be judged: a quarter of it would hold too few."""
REACH = "whole, crops from a quarter, 8 symmetries, scale 0.5-2, recompressed"

Pixels = tuple[int, int, int, int]
"""Left, top, width, height."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """A test picture that was found in a training picture, by their names under the two folders.

    `symmetry` says what was done to the test picture ("" for nothing), `scale` how many pixels of the training picture
    one of its own became. `box` is what the two have in common, in the test picture as it is, `share` that part of its
    area; `train_box` and `train_share` are the same in the training picture. `correlation` is the normalised
    cross-correlation of the two there.
    """

    test: str
    train: str
    symmetry: str
    scale: float
    box: Pixels
    share: float
    train_box: Pixels
    train_share: float
    correlation: float

    def __str__(self) -> str:
        left, top, width, height = self.box
        what = "whole" if self.share > 0.95 else f"crop {width}x{height} at ({left}, {top})"
        where = "" if self.train_share > 0.95 else f" at ({self.train_box[0]}, {self.train_box[1]}) there"
        how = [self.symmetry] if self.symmetry else []
        facts = [*how, what + where, f"scale {self.scale:.2f}", f"correlation {self.correlation:.3f}"]
        return f"{self.test} is in {self.train}: {', '.join(facts)}"


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What a search for test pictures in a training set came to.

    `trained` and `tested` are numbers of pictures; `unjudged` names the test pictures that are too smooth to be told
    from others.
    """

    train: str
    test: str
    trained: int
    tested: int
    matches: tuple[Match, ...]
    unjudged: tuple[str, ...]

    @property
    def found(self) -> tuple[str, ...]:
        """The names of the test pictures that were found, each once."""
        return tuple(sorted({match.test for match in self.matches}))

    def summary(self) -> str:
        """Return how many were found, and what would have been."""
        smooth = f", {len(self.unjudged)} too smooth to be judged" if self.unjudged else ""
        pictures = f"{self.trained} training pictures, {self.tested} test pictures"
        return f"{pictures}: {len(self.found)} found{smooth} ({REACH})"

    def sentence(self) -> str:
        """Return the sentence that the card of weights quotes."""
        smooth = ""
        if self.unjudged:
            smooth = f"; {len(self.unjudged)} {'is' if len(self.unjudged) == 1 else 'are'} too smooth to be judged"
        searched = f"the {self.trained} training pictures by `restore audit` ({REACH})"
        if not self.matches:
            return f"None of the {self.tested} pictures of {self.test} was found in {searched}{smooth}."
        named = ", ".join(self.found[:10]) + (", ..." if len(self.found) > 10 else "")
        of = f"Of the {self.tested} pictures of {self.test}, {len(self.found)}"
        return f"{of} {'was' if len(self.found) == 1 else 'were'} found in {searched}{smooth}: {named}."

    def row(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            **asdict(self),
            "found": len(self.found),
            "summary": self.summary(),
            "sentence": self.sentence(),
        }


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A picture made ready: grey `h w`, 8 bits; `zoom`, its pixels for one of the file; its keypoints."""

    name: str
    grey: Tensor
    zoom: float
    keypoints: Keypoints


def audit(train: Path, test: Path, *, observe: Callable[[int, int], None] = lambda done, total: None) -> Audit:
    """Look for the pictures of a folder `test` in those of a folder `train`; of pairs, the clean ones are compared.

    Candidates come from keypoints and are confirmed by registration: what is reported has been laid upon the other and
    agrees. `observe` is called with the numbers of pictures read and in all. Raises `BadPicture` for a folder without
    pictures and for a file that cannot be read.
    """
    tests, trains = ([pair.clean for pair in pairs_in(folder)] for folder in (test, train))
    number = itertools.count(1)

    def ready(folder: Path, paths: list[Source]) -> Iterator[Sheet]:
        for path in paths:
            yield sheet(path, _name(folder, path))
            observe(next(number), len(tests) + len(trains))

    wanted, coming = list(ready(test, tests)), ready(train, trains)
    retrieval = Retrieval([one.keypoints for one in wanted], [_size(one.grey) for one in wanted])
    matches: list[Match] = []
    while others := list(itertools.islice(coming, AT_ONCE)):
        found: dict[tuple[int, int], Match] = {}
        for candidate in retrieval.candidates([one.keypoints for one in others]):
            pair = candidate.wanted, candidate.other
            match = None if pair in found else confirmed(wanted[pair[0]], others[pair[1]], candidate)
            if match:
                found[pair] = match
        matches += found.values()
    return Audit(
        train=_label(train),
        test=_label(test),
        trained=len(trains),
        tested=len(tests),
        matches=tuple(sorted(matches, key=lambda match: (match.test, match.train))),
        unjudged=tuple(one.name for one in wanted if len(one.keypoints) < FEWEST),
    )


def sheet(path: Source, name: str) -> Sheet:
    """Read a picture and make it ready for the search."""
    grey = read(path).pixels.mean(dim=1, keepdim=True)
    height, width = grey.shape[-2:]
    longer = max(height, width)
    zoom = 2.0 if longer < SMALLEST else min(1.0, LARGEST / longer)
    if zoom != 1:
        sides = [max(1, round(zoom * side)) for side in (height, width)]
        grey = functional.interpolate(grey, sides, mode="bicubic", antialias=True).clamp(0, 1)
    zoom = math.sqrt(grey[0, 0].numel() / (height * width))
    eight_bits = (grey[0, 0] * 255).round().to(torch.uint8)
    return Sheet(name=name, grey=eight_bits, zoom=zoom, keypoints=find(grey[0, 0]))


def confirmed(test: Sheet, train: Sheet, candidate: Candidate) -> Match | None:
    """Lay a test picture upon a training picture, as a candidate says; None if they do not agree there.

    First all that overlaps is compared; where that fails and votes are many, the part that the keypoints span.
    """
    first, second = turned(test.grey, candidate.symmetry).float() / 255, train.grey.float() / 255
    for part, least in ((None, DETAIL), (candidate.box, PART_DETAIL)):
        if part and candidate.votes < PART_VOTES:
            break
        got = register(first, second, candidate.placement, part)
        if got and got.correlation >= CORRELATION and got.detail >= least:
            match = _match(test, train, candidate.symmetry, got)
            if max(match.share, match.train_share) >= LEAST_SHARE:
                return match
    return None


def _match(test: Sheet, train: Sheet, symmetry: Symmetry, got: Registration) -> Match:
    """Put a registration in terms of the two files."""
    left, top, right, bottom = got.box
    corners = torch.tensor([[left, top], [right, bottom]])
    size = torch.tensor(_size(turned(test.grey, symmetry)), dtype=torch.float32)
    own = turned_places(corners, size, inverse(symmetry)) / test.zoom
    there = (corners * torch.tensor(got.placement.scale) + torch.tensor(got.placement.offset)) / train.zoom
    area = (right - left) * (bottom - top)
    stretch = math.prod(got.placement.scale)
    return Match(
        test=test.name,
        train=train.name,
        symmetry=SYMMETRIES[symmetry],
        scale=round(math.sqrt(stretch) * test.zoom / train.zoom, 3),
        box=_pixels(own),
        share=round(area / test.grey.numel(), 3),
        train_box=_pixels(there),
        train_share=round(area * stretch / train.grey.numel(), 3),
        correlation=round(got.correlation, 4),
    )


def _pixels(corners: Tensor) -> Pixels:
    """Return the box between two opposite corners, `2 2`."""
    (left, top), (right, bottom) = corners.amin(dim=0).round().tolist(), corners.amax(dim=0).round().tolist()
    return int(left), int(top), int(right - left), int(bottom - top)


def _size(picture: Tensor) -> tuple[int, int]:
    return picture.shape[-1], picture.shape[-2]


def _label(folder: Path) -> str:
    """Return what a folder is called; a `clean` or `HR` is known by the folder above."""
    folder = folder.resolve()
    return folder.parent.name if folder.name.lower() in CLEAN else folder.name


def _name(folder: Path, source: Source) -> str:
    inside = source.relative_to(folder).as_posix() if isinstance(source, Path) else source.name
    return f"{folder.resolve().name}/{inside}"
