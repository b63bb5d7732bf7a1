"""What is done to clean patches before the task degrades them, so that a network sees more than its photographs hold.

Photographs are stored as JPEG with half of the colour's resolution, and seldom have saturated colours. A network that
is trained on them as they are learns that colour has no fine edges, and blurs those of drawings and prints.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from restoration.training.settings import Augmentation

LUMA = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in grey (ITU-R BT.601)."""
SATURATION = (0.6, 2.5)
"""The smallest and the largest factor of the saturation."""
SATURATED = 0.5
"""The share of recoloured patches whose saturation is changed."""
GAMMA = 0.5
"""The largest logarithm of the exponent of a tone curve, up or down."""
GRADIENT = 0.5
"""The largest difference between the sides of flat patches is half of this."""
GRAIN = 6 / 255
"""The largest standard deviation of the grain of flat patches is half of this."""
INVERTED = 0.15
"""The share of tone curves that fall, as those of a negative."""
DULL = 0.5
"""The share of skies that are grey."""
CLOUDS = 0.12
"""The largest difference that clouds make in a sky, up or down."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is done to one patch."""

    shrink: bool = False
    recolour: bool = False
    curves: bool = False
    flat: bool = False
    skies: bool = False
    grey: bool = False
    undamaged: bool = False

    @classmethod
    def drawn(cls, shares: Augmentation, rng: Generator) -> Changes:
        """Draw what is done; each is drawn apart from the others."""
        shrink, recolour, curves, undamaged, flat = torch.rand(5, generator=rng).tolist()
        skies, grey = (
            bool(share) and float(torch.rand((), generator=rng)) < share for share in (shares.skies, shares.grey)
        )
        return cls(
            shrink=shrink < shares.shrink,
            recolour=recolour < shares.recolour,
            curves=curves < shares.curves,
            flat=flat < shares.flat,
            skies=skies,
            grey=grey,
            undamaged=undamaged < shares.undamaged,
        )

    def colours(self, patch: Tensor, rng: Generator) -> Tensor:
        """Change the colours of a clean patch, `c h w` in [0, 1]; a grey one has no hue, and only gets a curve."""
        if self.flat:
            patch = flat_like(patch, rng)
        if self.skies:
            patch = under_a_sky(patch, rng)
        if self.recolour and patch.shape[0] == 3:
            patch = recoloured(patch, rng)
        patch = curved(patch, rng) if self.curves else patch
        return torch.tensordot(torch.tensor([LUMA]), patch, 1).expand(3, -1, -1) if self.is_grey(patch) else patch

    def damage(self, patch: Tensor) -> Tensor:
        """Return a degraded patch, `c h w`, with its first channel in all of them, if the clean one lost its colours.

        So is a grey picture seen by a network for colours: noise that is the same in all channels looks like detail to
        one that has never met such noise.
        """
        return patch[:1].expand(3, -1, -1).clone() if self.is_grey(patch) else patch

    def is_grey(self, patch: Tensor) -> bool:
        """Return whether a patch, `c h w`, is to lose its colours: one that has any."""
        return self.grey and patch.shape[0] == 3


def flat_like(patch: Tensor, rng: Generator) -> Tensor:
    """Return a patch of one colour, half of them grey, in the size of `c h w`; some have a gradient or grain."""
    channels, height, width = patch.shape
    level, grey, slope, grain, angle = torch.rand(5, generator=rng).tolist()
    colour = level + (grey < 0.5) * (torch.rand(channels, 1, 1, generator=rng) - 0.5)
    down, right = (torch.linspace(-0.5, 0.5, length) for length in (height, width))
    ramp = math.cos(2 * math.pi * angle) * down[:, None] + math.sin(2 * math.pi * angle) * right
    noise = torch.randn(channels, height, width, generator=rng)
    flat: Tensor = colour + max(0.0, slope - 0.5) * GRADIENT * ramp + max(0.0, grain - 0.5) * GRAIN * noise
    return flat.clamp(0, 1)


def under_a_sky(patch: Tensor, rng: Generator) -> Tensor:
    """Draw a sky over a horizon into a patch `c h w`: grey or blue, brighter towards the horizon, half with clouds.

    Photographs for training seldom show large dull skies, which look like haze, and show no rain.
    """
    channels, height, width = patch.shape
    level, dull, blue, rise, cloudy, where, tilt, rough = torch.rand(8, generator=rng).tolist()
    down, right = torch.linspace(0, 1, height)[:, None], torch.linspace(-0.5, 0.5, width)
    ridge = functional.interpolate(torch.randn(1, 1, 13, generator=rng), width, mode="linear", align_corners=True)[0, 0]
    horizon = 0.1 + 0.8 * where + (tilt - 0.5) * 0.3 * right + 0.08 * rough * ridge
    tint = torch.tensor([-0.5, -0.1, 0.4])[:channels, None, None] if channels == 3 else torch.zeros(channels, 1, 1)
    colour = 0.45 + 0.5 * level + (0.0 if dull < DULL else 0.5 * blue) * tint * (1.5 - down)
    cloud = torch.randn(1, 1, 4, 5, generator=rng)
    cloud = functional.interpolate(cloud, (height, width), mode="bicubic", align_corners=True)[0].clamp(-1, 1)
    sky = colour + 0.2 * rise * (down - 0.5) + max(0.0, 2 * cloudy - 1) * CLOUDS * cloud
    above = ((horizon - down) * height + 0.5).clamp(0, 1)
    return torch.lerp(patch, sky.clamp(0, 1), above)


def recoloured(patch: Tensor, rng: Generator) -> Tensor:
    """Permute the channels of `3 h w`, turn the hue around grey, and change the saturation of some."""
    order = torch.randperm(3, generator=rng)
    angle, saturated, amount = torch.rand(3, generator=rng).tolist()
    low, high = SATURATION
    factor = low * (high / low) ** amount if saturated < SATURATED else 1.0
    grey = torch.tensor(LUMA).expand(3, 3)
    matrix = grey + factor * (hue_rotation((angle - 0.5) * math.pi / 3) - grey)
    return torch.einsum("dc, chw -> dhw", matrix[:, order], patch).clamp(0, 1)


def hue_rotation(angle: float) -> Tensor:
    """Return the matrix, 3 x 3, that turns colours around the axis of grey by an angle in radians (Rodrigues)."""
    cosine, sine = math.cos(angle), math.sin(angle) / math.sqrt(3)
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    return cosine * torch.eye(3) + (1 - cosine) / 3 + sine * cross


def curved(patch: Tensor, rng: Generator) -> Tensor:
    """Raise each channel of `c h w` in [0, 1] to a power of its own, and invert some."""
    exponent, inverted = torch.rand(2, patch.shape[0], 1, 1, generator=rng)
    power = patch ** torch.exp((2 * exponent - 1) * GAMMA)
    return torch.where(inverted < INVERTED, 1 - power, power)
