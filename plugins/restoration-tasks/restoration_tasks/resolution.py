"""Low resolution: pictures made smaller as MATLAB does it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import torch

from restoration import BadOption, Observation
from restoration.operators import Resampling, enlarge
from restoration_tasks.drawing import between

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from restoration import Picture

SCALES = (2, 3, 4)
"""The scales that a batch is drawn from by default."""


class LowResolution:
    """Makes pictures smaller by `scale`, antialiased bicubic as MATLAB's `imresize`, and rounds to 8 bits.

    The degraded picture that a network is given is the small one enlarged again, also bicubic, so that its output has
    the full size. With several scales, each batch has one of them. `noise`, in levels of 255, is added to the small
    picture.
    """

    def __init__(self, *, scale: int | tuple[int, ...] = SCALES, noise: float = 0.0) -> None:
        self.scales = (scale,) if isinstance(scale, int) else scale
        if not self.scales or min(self.scales) < 2 or max(self.scales) > 16:
            raise ValueError(f"scale must be from 2 to 16, not {scale}")
        self.noise = between("noise", noise, 0, 255)[0]

    def __call__(self, x: Tensor, rng: Generator) -> Tensor:
        """Return what is left of clean pictures `b c h w`, enlarged to their full size."""
        return self.observe(x, rng).y

    def observe(self, x: Tensor, rng: Generator) -> Observation:
        """Return the small pictures as `measured`, and enlarged to the size of the clean ones as `y`."""
        scale = self.scales[int(torch.randint(len(self.scales), (), generator=rng))]
        operator = Resampling(Fraction(1, scale), (x.shape[-2], x.shape[-1]))
        small = operator.rounded(x)
        if self.noise:
            small = (small + self.noise / 255 * torch.randn(small.shape, generator=rng)).clamp(0, 1)
        y = enlarge(small, scale)[..., : x.shape[-2], : x.shape[-1]]
        return Observation(y=y, operator=operator, sigma=self.noise / 255, measured=small)

    def describe(self, picture: Picture) -> Observation:
        """Return what is known about a small picture: the operator from one `scale` times larger, 4 by default.

        Raises `BadOption` for several scales, of which a picture has one.
        """
        if len(self.scales) > 1 and self.scales != SCALES:
            raise BadOption(f"a picture is enlarged by one scale, not by {', '.join(map(str, self.scales))}")
        scale, small = self.scales[-1], picture.pixels
        height, width = small.shape[-2:]
        operator = Resampling(Fraction(1, scale), (height * scale, width * scale))
        return Observation(y=enlarge(small, scale), operator=operator, measured=small)
