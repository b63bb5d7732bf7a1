"""Is a result plausible? Finds what no restoration of a task explains: a black picture, a mosaic, parts out of place.

It compares a degraded picture with its restoration, both `1 c h w` in [0, 1]. What a task may change is described by
`Limits`, found with results of our own weights on photographs that they were not trained on: at most one in a hundred
of them may be suspected.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from restoration.smoothing import blurred

if TYPE_CHECKING:
    from torch import Tensor

    from restoration.interfaces import Limits

BLOCK = 32
"""Side of the blocks whose mean brightness is compared, in pixels."""
PART = 64
"""Side of the parts whose structure is compared, in pixels."""
FLAT = 0.35
"""Largest share of neighbouring pixels that may become equal."""
CLIPPED = 0.3
"""Largest share of values that may become black or white."""
FINE, COARSE = 1.5, 6.0
"""Structure is compared between Gaussian blurs of these standard deviations, in pixels, and once more at half size."""
INDEPENDENT = 144
"""The independent values that a part has in this band of frequencies."""
PIXELS = 1_200_000
"""Pictures of more pixels are compared in a smaller copy, but for the mosaic."""
STRONG = 4 / 255
"""Least standard deviation of the structure of a part that is compared."""


def find_faults(before: Tensor, after: Tensor, limits: Limits) -> list[str]:
    """Return in words what is not plausible about the result `after` for the picture `before`, `1 c h w` in [0, 1].

    A result of another size or number of channels is not judged, nor one that is smaller than a block.
    """
    if not bool(torch.isfinite(after).all()):
        return ["it has values that are not numbers"]
    if before.shape != after.shape or min(before.shape[-2:]) < BLOCK:
        return []
    levels_before, levels_after = (
        image.float().clamp(0, 1).mul(255).round_().to(torch.uint8) for image in (before, after)
    )
    if torch.equal(levels_before, levels_after) and _has_detail(levels_before):
        return ["it is the picture itself: nothing was changed"]
    found = [_find_mosaic(levels_before, levels_after), _find_clipping(levels_before, levels_after)]
    scale = math.ceil(math.sqrt(before.shape[-1] * before.shape[-2] / PIXELS))
    small_before, small_after = (_pooled(image.float(), scale) for image in (before, after))
    found += _find_changed_brightness(small_before, small_after, limits, scale)
    found.append(_find_wrong_structure(small_before, small_after, limits, scale))
    return [fault for fault in found if fault]


def _has_detail(levels: Tensor) -> bool:
    """Return whether a picture, 8 bits, has more than one colour; many methods rightly return one colour unchanged."""
    return bool((levels != levels[..., :1, :1]).any())


def _find_mosaic(before: Tensor, after: Tensor) -> str:
    """Describe a mosaic or a flat colour: neighbours that differed are equal, along rows and along columns."""
    more = min(_equal_neighbours(after, dim) - _equal_neighbours(before, dim) for dim in (-1, -2))
    return f"{more:.0%} of its pixels became equal to their neighbours, as in a mosaic" if more > FLAT else ""


def _equal_neighbours(levels: Tensor, dim: int) -> float:
    """Return the share of pixels, 8 bits, that are equal to the next along a dimension in all channels."""
    length = levels.shape[dim] - 1
    return float((levels.narrow(dim, 1, length) == levels.narrow(dim, 0, length)).all(dim=1).float().mean())


def _find_clipping(before: Tensor, after: Tensor) -> str:
    """Describe values that became black or white, if they are many."""
    more = _at_the_ends(after) - _at_the_ends(before)
    return f"{more:.0%} of its values became black or white" if more > CLIPPED else ""


def _at_the_ends(levels: Tensor) -> float:
    """Return the share of values, 8 bits, that are black or white."""
    return float(((levels == 0) | (levels == 255)).float().mean())


def _find_changed_brightness(before: Tensor, after: Tensor, limits: Limits, scale: int) -> list[str]:
    """Describe the block that is the most darker or lighter than the detail of the degraded picture explains."""
    change = functional.avg_pool2d(after - before, BLOCK) * 255
    spread = functional.avg_pool2d((before - blurred(before, 8.0)).square(), BLOCK).sqrt() * 255
    white, ends = (functional.avg_pool2d(part.float(), BLOCK) for part in (before >= 250 / 255, _ends(before)))
    noise = 3 * spread / BLOCK + 1.5 * spread * ends  # of a mean; noise that is cut off at black and white shifts it
    found = []
    for name, limit, values in (
        ("darker", limits.darker, -change - noise - limits.detail * spread - (limits.detail > 0) * 50 * white),
        ("lighter", limits.lighter, change - noise),
    ):
        worst = float(values.max())
        if limit is not None and worst > limit:
            index = int(values.amax(dim=1).argmax())
            y, x = (scale * BLOCK * place for place in divmod(index, values.shape[-1]))
            found.append(f"a part at {x},{y} is {worst:.0f} of 255 levels {name} than the damage explains")
    return found


def _ends(image: Tensor) -> Tensor:
    """Return where a picture is black or white to within a level of 255."""
    return (image <= 1 / 255) | (image >= 254 / 255)


def _find_wrong_structure(before: Tensor, after: Tensor, limits: Limits, scale: int) -> str:
    """Describe a part whose structure is not that of the degraded picture: one is regressed on the other, per part.

    Noise and rain do not change the slope, for they do not depend on the structure; a part that was moved or invented
    has a slope near 0. Suspected is what stays below the limit with two standard errors.
    """
    if limits.structure is None or min(before.shape[-2:]) < PART:
        return ""
    grey_before, grey_after = before.mean(dim=1, keepdim=True), after.mean(dim=1, keepdim=True)
    for half in (1, 2):
        old, new = (blurred(grey, FINE) - blurred(grey, COARSE) for grey in (grey_before, grey_after))
        side, step = PART // half, PART // half // 2
        shared, energy, total = (functional.avg_pool2d(part, side, step) for part in (old * new, new * new, old * old))
        slope = shared / energy.clamp(min=1e-12)
        independent = INDEPENDENT / half**2
        error = ((total - slope * shared).clamp(min=0) / energy.clamp(min=1e-12) / independent).sqrt()
        most = torch.where(energy.sqrt() > STRONG, slope + 2 * error, 1.0)
        if float(most.min()) < limits.structure:
            y, x = (scale * PART // 2 * place for place in divmod(int(most.argmin()), most.shape[-1]))
            return f"a part at {x},{y} shows what the degraded picture does not have there"
        grey_before, grey_after = _pooled(grey_before, 2), _pooled(grey_after, 2)
    return ""


def _pooled(image: Tensor, scale: int) -> Tensor:
    """Shrink `b c h w` by a whole number, by means."""
    return image if scale == 1 else functional.avg_pool2d(image, scale)
