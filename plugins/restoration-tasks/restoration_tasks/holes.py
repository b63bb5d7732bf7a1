"""Missing pixels: scratches, blots, text, and pixels lost one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch

from restoration import BadOption, Observation
from restoration.operators import Masking
from restoration_tasks.drawing import between
from restoration_tasks.masks import Colour, read_mask
from restoration_tasks.strokes import draw_boxes, draw_segments, draw_strokes, draw_text

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from restoration import Picture

Kind = Literal["thin", "thick", "boxes", "text", "pixels", "mixed"]
SHARES: dict[Kind, tuple[float, float]] = {
    "thin": (0.03, 0.6),
    "thick": (0.05, 0.4),
    "boxes": (0.03, 0.25),
    "text": (0.03, 0.25),
    "pixels": (0.1, 0.8),
}
"""The least and the largest share of a picture that each kind covers; crossings of strokes count twice."""
CHANCES: dict[Kind, float] = {"thin": 0.4, "thick": 0.1, "boxes": 0.1, "text": 0.2, "pixels": 0.2}
"""The probability of each kind for "mixed" holes."""


class Holes:
    """Removes pixels and leaves white in their place, as the literature on diffusion does (Luo et al. 2023).

    `kind` is thin or thick strokes, boxes, text, single pixels, or "mixed", one of them for each picture; `share` is
    how much they cover, None for the range of the kind. `mask` has the holes instead, see `read_mask`: a file, an
    array, a tensor or an image. They are black in it or, if `holes` says so or it is certain, white.
    """

    def __init__(
        self,
        *,
        kind: Kind | None = None,
        share: float | tuple[float, float] | None = None,
        mask: str | Any | None = None,
        holes: Colour | None = None,
    ) -> None:
        if mask is None and holes is not None:
            raise ValueError("holes is the colour of the holes in a mask, and there is no mask")
        if mask is not None and (kind is not None or share is not None):
            raise ValueError("the holes are those of the mask: kind and share are for holes that are drawn")
        self.kind: Kind = "mixed" if kind is None else kind
        self.share = None if share is None else between("share", share, 0, 1)
        self.mask, self.holes = mask, holes

    def __call__(self, x: Tensor, rng: Generator) -> Tensor:
        """Return pictures with holes, `b c h w`."""
        return self.observe(x, rng).y

    def observe(self, x: Tensor, rng: Generator) -> Observation:
        """Return pictures with white holes, and the operator that makes the holes 0."""
        batch, _, height, width = x.shape
        if self.mask is not None:
            return mask_picture(x, read_mask(self.mask, (height, width), self.holes))
        return mask_picture(x, torch.stack([self._draw(height, width, rng) for _ in range(batch)])[:, None])

    def describe(self, picture: Picture) -> Observation:
        """Return what is known about a picture: all but the holes of `mask` or, without one, the transparent pixels.

        Raises `BadOption` if neither shows where the holes are.
        """
        if self.mask is not None:
            y = picture.pixels
            return mask_picture(y, read_mask(self.mask, (y.shape[-2], y.shape[-1]), self.holes, y))
        if picture.alpha is None or bool((picture.alpha == 1).all()):
            raise BadOption(
                "where are the holes? Give --mask FILE, black where pixels are missing, or make the holes transparent"
            )
        return mask_picture(picture.pixels, (picture.alpha == 1).float())

    def _draw(self, height: int, width: int, rng: Generator) -> Tensor:
        """Draw one mask, `h w`, that is 1 where the picture is known."""
        kind = self.kind
        if kind == "mixed":
            kind = list(CHANCES)[int(torch.multinomial(torch.tensor(list(CHANCES.values())), 1, generator=rng))]
        low, high = self.share or SHARES[kind]
        share = low + (high - low) * float(torch.rand((), generator=rng))
        if kind == "pixels":
            lost = torch.rand(height, width, generator=rng) < share
        elif kind == "boxes":
            lost = draw_boxes(height, width, share, rng)
        elif kind == "text":
            lost = draw_segments(draw_text(height, width, share, rng), height, width)
        else:
            lost = draw_segments(
                draw_strokes(height, width, (3, 14) if kind == "thin" else (14, 50), share, rng), height, width
            )
        return (~lost).float()


def mask_picture(x: Tensor, mask: Tensor) -> Observation:
    """Return the observation of a picture where `mask`, `b 1 h w`, is 1, with white holes."""
    operator = Masking(mask)
    return Observation(y=operator(x) + (1 - mask), operator=operator, sigma=0.0, measured=operator(x))
