"""Every kind of pixels that libvips reads to what the toolbox works on: grey or RGB, of 8 or 16 bits.

What a number stands for is taken from the file where it says so, and from the numbers themselves only where they leave
no doubt. All else is refused: a guess would be white, black, or too dark, and nobody would be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from restoration.errors import BadPicture
from restoration.images.remarks import once, remark

if TYPE_CHECKING:
    from torch import Tensor

CONVERTED = ("lab", "labs", "labq", "lch", "cmc", "xyz", "yxy", "oklab", "oklch", "hsv")
"""Spaces of colours that become sRGB; their profiles, if they have any, say nothing of the result."""
SLACK = 0.1
"""Share of the range by which values may exceed it, as after sharpening or resizing; they are clipped."""
SAMPLES = 1 << 20
"""Number of values, evenly spread, that are examined to tell how they were made."""


def plain(image: Any, name: str, *, linear: bool = False) -> tuple[Any, bool]:
    """Return an image of libvips as grey or RGB of 8 or 16 bits, perhaps with alpha, and whether its profile holds.

    `linear` says that numbers are linear light, whose 1 is white. Raises `BadPicture` for channels and numbers that may
    mean this or that.
    """
    kind = image.interpretation
    if linear:
        image = image.rad2float() if image.coding == "rad" else image
        return _from_light(image.extract_band(0, n=3).copy(interpretation="scrgb"), name), False
    if kind == "cmyk" or kind in CONVERTED:
        once(f"pictures in {kind.upper()} are restored in sRGB, and so are their results")
    if kind == "cmyk":
        return _from_inks(image, name), False
    if kind in CONVERTED:
        if image.bands != 3:
            raise BadPicture(f"{name} has {image.bands} channels of {kind.upper()}; save it as RGB")
        return _from_light(image, name), False
    if image.bands > 4:
        raise BadPicture(
            f"{name} has {image.bands} channels; grey and RGB, with transparency or without, are understood"
        )
    if image.format in ("uchar", "ushort"):
        return image, True
    if image.format in ("complex", "dpcomplex"):
        raise BadPicture(f"{name} holds complex numbers, which are no colours")
    return _from_numbers(image.copy_memory(), name)


def _from_inks(image: Any, name: str) -> Any:
    """CMYK to sRGB, by the profile of the file, or that of a usual press."""
    if image.bands > 5 or image.format not in ("uchar", "ushort"):
        raise BadPicture(f"{name} has {image.bands} channels of inks; save it as RGB")
    depth = 16 if image.format == "ushort" else 8
    inks = image.extract_band(0, n=4).copy(interpretation="cmyk")
    colours = inks.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=depth)
    return colours if image.bands == 4 else colours.bandjoin(image[4])


def _from_light(image: Any, name: str) -> Any:
    """A space of colours to sRGB of 16 bits."""
    linear = image.colourspace("scrgb").copy_memory()
    if linear.min() < -0.01 or linear.max() > 1.01:
        remark(f"{name} has colours that sRGB has not; they were cut off")
    return linear.colourspace("rgb16")


def from_small_lab(image: Any, *, signed: bool) -> Any:
    """Lab of 8 bits to an image of libvips in Lab: 255 is L = 100; a and b have a sign, or 128 for none."""
    light, *others = image.bandsplit()
    chroma = [(one.copy(format="char") if signed else one - 128).cast("float") for one in others]
    return (light * (100 / 255)).bandjoin(chroma).copy(interpretation="lab")


def _from_numbers(image: Any, name: str) -> tuple[Any, bool]:
    """Floating-point numbers, and whole ones of other sizes than 8 and 16 bits without a sign, to 16 bits."""
    import torch

    statistics = image.extract_band(0, n=min(image.bands, 3)).stats()
    low, high, total = (statistics(column, 0)[0] for column in range(3))
    whole = image.format not in ("float", "double")
    if not all(abs(value) < float("inf") for value in (low, high, total)):  # what is no number shows in the sum
        raise BadPicture(f"{name} holds values that are infinite or no numbers")
    values = None if whole else _values(image)
    top = _top(image.format, low, high, values is None or bool(torch.equal(values, values.round())))
    if top is None:
        bounds = "0 to 1, 0 to 255 or 0 to 65535"
        raise BadPicture(f"{name} holds numbers from {low:.4g} to {high:.4g}, not {bounds}; save it in 8 or 16 bits")
    has_profile = "icc-profile-data" in image.get_fields()
    if values is not None and top == 1 and image.bands >= 3 and not has_profile and not _even(values):
        if not _even(_encoded(values)):
            raise BadPicture(
                f"{name} holds numbers from 0 to 1 that may be linear light or sRGB; save it with a colour profile, or "
                "in 16 bits"
            )
        light = image.extract_band(0, n=3).copy(interpretation="scrgb").colourspace("rgb16")
        rest = [(image[3] * 65535).rint().cast("ushort")] if image.bands == 4 else []
        return (light.bandjoin(rest) if rest else light), False
    numbers = image if top == 65535 else image * (65535 / top)
    return numbers.rint().cast("ushort").copy(interpretation="rgb16" if image.bands >= 3 else "grey16"), True


def _top(format: str, low: float, high: float, whole: bool) -> float | None:
    """Return the number that stands for white, if there is no doubt.

    `whole` numbers are levels of 8 or 16 bits by their largest; others must come near white, lest 0 to 100 be taken
    for 0 to 255. Whole numbers of more bits must come near the largest that there is.
    """
    full = {"int": 2**31 - 1, "uint": 2**32 - 1, "short": 2**15 - 1, "char": 2**7 - 1}.get(format, 0)
    if full and low >= 0 and high > full / 2:
        return full
    for top in (1, 255, 65535):
        if high <= top * (1 if whole else 1 + SLACK):
            near = high > top / 2 or top == 1 or (whole and (top <= full or not full) and format != "char")
            return top if near and low >= (0 if full else -SLACK * top) else None
    return None


def _values(image: Any) -> Tensor:
    """Return values of the colours of an image, `n`, float64."""
    import torch

    part = image.extract_band(0, n=min(image.bands, 3)).cast("float")
    values = torch.frombuffer(part.write_to_memory(), dtype=torch.float32)
    return values[:: len(values) // SAMPLES + 1].double()


def _even(values: Tensor) -> bool:
    """Whether values from 0 to 1 are levels of 8 or 16 bits, as far as a float tells: so they were made from them."""
    return any(float((values * top - (values * top).round()).abs().max()) < slack for top, slack in LEVELS)


LEVELS = ((255, 0.07), (65535, 0.02))
"""Largest levels, and how far from a whole one floats may leave them: those of 16 bits, and those of 32."""


def _encoded(values: Tensor) -> Tensor:
    """Return linear light as sRGB has it (IEC 61966-2-1)."""
    return (1.055 * values.clamp_min(0.0031308) ** (1 / 2.4) - 0.055).where(values > 0.0031308, values * 12.92)
