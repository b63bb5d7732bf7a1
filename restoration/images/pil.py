"""Pictures to images of PIL and back, for programs that have PIL loaded: it is never imported before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange

from restoration.errors import BadPicture
from restoration.picture import Picture, to_levels

if TYPE_CHECKING:
    from torch import Tensor

DEEP = ("I;16", "I;16L", "I;16B", "I;16N")
"""The modes of grey with 16 bits."""
ORIENTATION = 0x0112
"""The tag of EXIF that says how an image is to be turned."""
TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""What `Image.transpose` calls the turn of each orientation."""
PROFILE = "icc-profile-data"
"""What libvips calls the colour profile."""


def is_pil(given: object) -> bool:
    """Say whether something is an image of PIL, which is loaded if so."""
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(given, pil.Image)


def from_pil(image: Any) -> Picture:
    """Return the picture of an image of PIL, upright as its EXIF orientation says. Raises `BadPicture`."""
    if getattr(image, "n_frames", 1) > 1:
        raise BadPicture(f"the image has {image.n_frames} frames or pages; give one at a time, image.copy()")
    try:
        image = _upright(image)
        known = {PROFILE: image.info["icc_profile"]} if image.info.get("icc_profile") else {}
        if image.mode == "F":
            values = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.float32)
            return _from_numbers(values.reshape(1, 1, image.height, image.width), known)
        if image.mode == "I" or image.mode in DEEP:
            return _from_deep(image, known)
        plain = _plain(image)
    except OSError as error:  # PIL reads files late
        raise BadPicture(f"the image cannot be read whole: {error}") from error
    levels = torch.frombuffer(bytearray(plain.tobytes()), dtype=torch.uint8).float() / 255
    bands = rearrange(levels, "(h w c) -> 1 c h w", h=plain.height, w=plain.width)
    colours = bands.shape[1] - 1 + bands.shape[1] % 2
    alpha = bands[:, colours:].contiguous() if colours < bands.shape[1] else None
    return Picture(pixels=bands[:, :colours].contiguous(), alpha=alpha, metadata=known)


def to_pil(picture: Picture, like: Any = None) -> Any:
    """Return an image of PIL, of 8 bits but for grey of 16, with what `like`, another one, knows beside its pixels."""
    module = sys.modules["PIL.Image"]
    bands = picture.pixels if picture.alpha is None else torch.cat([picture.pixels, picture.alpha], dim=1)
    height, width = bands.shape[-2:]
    if picture.bits == 16 and bands.shape[1] == 1:
        image = module.frombytes("I;16", (width, height), _raw(to_levels(bands, 16).to(torch.int32), 2))
    else:
        levels = rearrange(to_levels(bands), "1 c h w -> h w c").to(torch.uint8)
        image = module.frombytes(("L", "LA", "RGB", "RGBA")[bands.shape[1] - 1], (width, height), _raw(levels, 1))
    if like is not None:
        left = ("transparency", "exif", "XML:com.adobe.xmp", "xmp")  # the image is upright, and has its alpha
        image.info.update({key: value for key, value in like.info.items() if key not in left})
        exif = like.getexif()
        exif.pop(ORIENTATION, None)
        if exif:
            image.info["exif"] = exif.tobytes()
    elif PROFILE in picture.metadata:
        image.info["icc_profile"] = picture.metadata[PROFILE]
    return image


def _upright(image: Any) -> Any:
    """Return an image as its EXIF orientation says it is to be seen."""
    turn = TURNS.get(image.getexif().get(ORIENTATION))
    return image if turn is None else image.transpose(turn)


def _plain(image: Any) -> Any:
    """Return an image as grey or colour of 8 bits, with alpha if it has transparency. Raises `BadPicture`."""
    clear = "transparency" in image.info
    if image.mode in ("L", "RGB") and not clear:
        return image
    if image.mode in ("LA", "RGBA"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "PA", "RGBX", "YCbCr", "HSV", "La", "RGBa", "L", "RGB"):
        alpha = clear or image.mode in ("PA", "La", "RGBa")
        return image.convert("LA" if image.mode in ("L", "La") else "RGBA" if alpha else "RGB")
    raise BadPicture(f"an image of the mode {image.mode} has no certain colours; convert it to RGB first")


def _from_deep(image: Any, known: dict[str, bytes]) -> Picture:
    """Return the picture of whole numbers, which are those of 16 bits."""
    whole = image if image.mode == "I" else image.convert("I")
    values = torch.frombuffer(bytearray(whole.tobytes()), dtype=torch.int32)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise BadPicture(f"the image has numbers from {low} to {high}; those of 16 bits are from 0 to 65535")
    pixels = values.reshape(1, 1, image.height, image.width).float() / 65535
    return Picture(pixels=pixels, bits=16, metadata=known)


def _from_numbers(values: Tensor, known: dict[str, bytes]) -> Picture:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1 and bool(torch.isfinite(values).all())):
        raise BadPicture(f"the image is of floats from {low:g} to {high:g}; they must be from 0 to 1, or of 8 bits")
    return Picture(pixels=values, bits=16, metadata=known)


def _raw(levels: Tensor, size: int) -> bytes:
    """Return whole numbers of 1 or 2 bytes as they lie in memory, the low byte first."""
    flat = levels.contiguous().flatten()
    if size == 1:
        return bytes(flat.numpy().tobytes())
    pairs = torch.stack([flat & 255, flat >> 8], dim=1).to(torch.uint8)
    return bytes(pairs.numpy().tobytes())
