"""Patches of pictures for training: each is a function of the seed, the step and its row, and of nothing else."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from hashlib import blake2b
from operator import attrgetter
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from restoration.errors import BadOption
from restoration.images.idx import Entry
from restoration.images.shards import Member
from restoration.randomness import keyed_generator
from restoration.training.augmentation import Changes
from restoration.training.pictures import Pictures
from restoration.training.settings import TURNS, Augmentation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator, Tensor

    from restoration.images.folders import Pair
    from restoration.interfaces import Task
    from restoration.training.enlarging import Enlarging

log = logging.getLogger("restoration")

ZOOM, WIDER = 1.5, 4 / 3
"""Of a working size: how much finer a patch may show a picture than the whole is judged at, and how much coarser."""
CHECKED = 1000
"""Pictures whose sizes are read before a training begins; of larger sets so many, spread evenly."""
QUICK = 10.0
"""Seconds in which the sizes of further pairs are read before a training begins."""
TRIES = 1000
"""Pictures that are drawn in vain, because they are smaller than a patch, before a training gives up."""


def split(
    pairs: Sequence[Pair], held_out: int, seed: int, scene: Callable[[Pair], object] = attrgetter("clean")
) -> tuple[list[Pair], list[Pair]]:
    """Keep some pictures, drawn by the seed, for validation: at most half of them.

    Of a `scene` with several pairs, such as a clean picture with several degraded ones, all are kept out of the
    training, and the first serves validation.
    """
    firsts: dict[object, Pair] = {}
    for pair in pairs:
        firsts.setdefault(scene(pair), pair)
    order = torch.randperm(len(firsts), generator=torch.Generator().manual_seed(seed)).tolist()
    drawn = set(order[: min(held_out, len(firsts) // 2)])
    kept = {scene(pair): pair for place, pair in enumerate(firsts.values()) if place in drawn}
    return [pair for pair in pairs if scene(pair) not in kept], list(kept.values())


class Patches:
    """Random patches of pictures, clean and degraded ones.

    * `pairs`: the pictures; those smaller than a patch are left out.
    * `task`: degrades patches of clean pictures that have no degraded one of their own, and enlarges small ones.
    * `size`: the side of a patch in pixels.
    * `channels`: 1 for grey, or 3.
    * `working_size`: pictures are shrunk to `ZOOM` times it, and patches by a random factor once more; 0: they are not.
    * `cache`: bytes of decoded pictures that each process keeps in a file.
    * `augmentation`: how often clean patches are changed before they are degraded.
    * `enlarging`: what degrades them for a network that enlarges; then degraded patches are small ones.
    * `turns`: whether patches are turned and mirrored, only mirrored left to right, or left as they are.
    * `learns_from`: what the objective is given in place of clean patches, see `ObjectiveCard`.
    * `noisy`: whether no picture is clean, so that those without a counterpart are degraded already.

    Large pictures are drawn more often, up to twice as often as those of a usual size: of two that are drawn evenly one
    is taken by chance, with its area as weight. So no size need be known before it is asked for. Raises `BadOption` if
    no picture is large enough, and `BadPicture` for pairs of different sizes.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        task: Task,
        *,
        size: int,
        channels: int = 3,
        working_size: int = 0,
        cache: int = 0,
        augmentation: Augmentation = Augmentation(),  # noqa: B008  # it cannot be changed
        enlarging: Enlarging | None = None,
        turns: str = "all",
        learns_from: str = "clean",
        noisy: bool = False,
    ) -> None:
        self.learns_from, self.noisy = learns_from, noisy
        self.task, self.side, self.augmentation, self.enlarging = task, size, augmentation, enlarging
        self.turns = TURNS[turns]
        self.shrunk_to = working_size * ZOOM
        self.pictures = Pictures(pairs, task, channels=channels, shrunk_to=self.shrunk_to, cache=cache)
        self.small = self._check()
        """How many pictures are known to be smaller than a patch; of very many, about how many are."""

    def __len__(self) -> int:
        return len(self.pictures)

    def fingerprint(self) -> str:
        """Return a text that another list of pictures would not have: of names and sizes of files, not of contents."""
        sources = [source for pair in self.pictures.pairs for source in (pair.clean, pair.degraded) if source]
        names = [str(source) for source in sources]
        above = len(os.path.commonpath([os.path.dirname(min(names)), os.path.dirname(max(names))]))
        known = blake2b(digest_size=16, person=b"noisy" if self.noisy else b"")
        for name, source in zip(names, sources, strict=True):
            size = source.size if isinstance(source, Member | Entry) else os.stat(name).st_size
            known.update(f"{name[above:]} {size}\n".encode())
        return known.hexdigest()

    def row(self, seed: int, step: int, row: int) -> tuple[Tensor, Tensor]:
        """Draw a clean and a degraded patch, `c size size` each, in [0, 1], turned and mirrored by chance.

        For a network that enlarges the degraded one is the small one.
        In place of the clean one is what the objective learns from: another degraded one of the same, or that one.
        """
        rng = keyed_generator("patch", seed, step, row)
        number = self._drawn(rng)
        height, width = self.pictures.size(number)
        down, right, zoomed, *turns = torch.rand(6, generator=rng).tolist()
        side = self._window_side(min(height, width), zoomed)
        colours, changes = self._changes(number, seed, step, row)
        if changes.shrink:
            side = min(2 * side, height, width)
        top, left = int(down * (height - side + 1)), int(right * (width - side + 1))
        x, y = self._windows(number, top, left, side)
        turn = [allowed and draw < 0.5 for allowed, draw in zip(self.turns, turns, strict=True)]
        if y is not None:
            return _as_float(_turned(self._shrunk(x), turn)), _as_float(
                _turned(y if self.enlarging else self._shrunk(y), turn)
            )
        small = self._shrunk(_as_float(x)).clamp(0, 1) if changes.shrink else self._shrunk(x)
        clean = changes.colours(_as_float(_turned(small, turn)), colours)
        if self.enlarging is not None:
            return clean, self.enlarging.small(clean[None], seed, step, rng)[0]
        if self.noisy:
            return clean, clean.clone()
        y = clean.clone() if changes.undamaged else changes.damage(self.task(clean[None], rng)[0])
        if self.learns_from == "pairs":
            return changes.damage(self.task(clean[None], keyed_generator("target", seed, step, row))[0]), y
        return (clean if self.learns_from == "clean" else y.clone()), y

    def _windows(self, number: int, top: int, left: int, side: int) -> tuple[Tensor, Tensor | None]:
        """Return a window of a clean picture, and of the degraded one if there is such, which may be small."""
        if self.enlarging is None or self.pictures.pairs[number].degraded is None:
            return self.pictures.window(number, slice(top, top + side), slice(left, left + side))
        top, left = (start - start % self.pictures.scale for start in (top, left))
        return self.pictures.small_window(number, slice(top, top + side), slice(left, left + side))

    def _changes(self, number: int, seed: int, step: int, row: int) -> tuple[Generator, Changes]:
        """Draw what is done to a patch; none of it to one that is noisy or of a pair.

        The other draws of a row do not depend on it.
        """
        rng = keyed_generator("augmentation", seed, step, row)
        given = self.noisy or self.pictures.pairs[number].degraded is not None
        if given or not self.augmentation.draws():
            return rng, Changes()
        return rng, Changes.drawn(self.augmentation, rng)

    def _check(self) -> int:
        """Read the sizes of pictures, of very many those of some, and say how many are too small.

        Those of pairs are read as long as it is quick: better to meet one of different sizes now than at its step.
        """
        total = len(self.pictures)
        checked = range(total) if total <= CHECKED else [place * total // CHECKED for place in range(CHECKED)]
        small = sum(not self._area(number) for number in checked)
        if small == len(checked) and not any(self._area(number) for number in range(total)):
            raise BadOption(f"no picture is as large as a patch of {self.side}x{self.side}; use a smaller --patch")
        if small:
            about = f"about {max(1, round(100 * small / len(checked)))} % of {total}"
            many = f"{small} of {total}" if len(checked) == total else about
            log.warning("%s pictures are smaller than a patch of %dx%d and are left out", many, self.side, self.side)
        if self.pictures.pairs[0].degraded is not None:
            end = time.monotonic() + QUICK
            for number in range(total):
                if time.monotonic() > end:
                    break
                self.pictures.size(number)
        return round(small * total / len(checked))

    def _area(self, number: int) -> int:
        """Return the pixels of a picture, 0 if it is smaller than a patch."""
        height, width = self.pictures.size(number)
        return height * width if min(height, width) >= self.side else 0

    def _drawn(self, rng: Generator) -> int:
        """Draw a picture: one of two, with their areas as weights."""
        for _ in range(TRIES):
            two = torch.randint(len(self.pictures), (2,), generator=rng).tolist()
            at = float(torch.rand((), generator=rng))
            first, second = (self._area(number) for number in two)
            if first + second:
                return int(two[0] if at * (first + second) < first else two[1])
        raise BadOption(f"hardly a picture is as large as a patch of {self.side}x{self.side}; use a smaller --patch")

    def _window_side(self, shorter: int, drawn: float) -> int:
        """Return the side of the window that a patch is made of; without a working size it is the patch's own."""
        if not self.shrunk_to:
            return self.side
        largest = min(shorter, int(self.side * ZOOM * WIDER))
        return self.side + int(drawn * (largest - self.side + 1))

    def _shrunk(self, window: Tensor) -> Tensor:
        """Shrink a window, `c h w`, to a patch."""
        size = [self.side, self.side]
        if list(window.shape[-2:]) == size:
            return window
        return functional.interpolate(window[None], size, mode="bicubic", antialias=True, align_corners=False)[0]


def _turned(patch: Tensor, turn: Sequence[bool]) -> Tensor:
    """Mirror and transpose `c h w`: one of the eight positions of a square."""
    if turn[0]:
        patch = patch.flip(-1)
    if turn[1]:
        patch = patch.flip(-2)
    return patch.transpose(-1, -2) if turn[2] else patch


def _as_float(patch: Tensor) -> Tensor:
    """Return a patch of 8 bits, or one that is a float already, as a float in [0, 1]."""
    return patch if patch.is_floating_point() else patch.float() / 255
