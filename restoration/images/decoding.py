"""Pixels of a file to a picture: libvips decodes them, and what they mean is settled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from restoration.images import colour, metadata
from restoration.images.formats import Format, writable
from restoration.images.remarks import remark
from restoration.picture import Picture, to_levels

if TYPE_CHECKING:
    from torch import Tensor

LINEAR = ("Radiance HDR", "OpenEXR")
STRICT = {"JPEG": "warning"}
"""How soon libvips fails, where it is not at an error: damaged JPEGs only warn."""
HARMLESS = "extraneous bytes|unknown JFIF revision|Unknown Adobe color"
"""Warnings of libjpeg about files that are whole all the same."""
UNKNOWN = "not configured|[Uu]nsupported|not supported|not implemented"
"""What libraries say of files that they do not know, whole or not."""
DARK = 1 / 256
"""A picture of 16 bits of which nothing is brighter was probably meant to be one of 8."""


def load(
    form: Format, data: bytes, *, fail_on: str, page: int = 0, all_pages: bool = False, streamed: bool = True
) -> Any:
    """Return an image of libvips, whose header alone is read. Raises `pyvips.Error`.

    * `form`, `data`: the format and the bytes of the file.
    * `fail_on`: how soon libvips gives up: at a "warning", an "error", or not at all, "none".
    * `page`, `all_pages`: the page to be read, or all of them, one below the other.
    * `streamed`: whether rows are decoded as they are read, once, from top to bottom.
    """
    import pyvips

    pyvips.vips_lib.vips_error_clear()  # of what was overlooked before
    how: dict[str, Any] = {**form.load, "fail_on": fail_on, "access": "sequential" if streamed else "random"}
    how |= {"page": page} if page else {}
    how |= {"n": -1} if all_pages else {}
    if form.loader.endswith("_buffer"):
        return pyvips.Operation.call(form.loader, data, **how)
    return _from_file(form, data, how)


def _from_file(form: Format, data: bytes, how: dict[str, Any]) -> Any:
    """Load by a loader that reads files only."""
    import tempfile

    import pyvips

    with tempfile.NamedTemporaryFile(suffix=form.suffixes[0]) as file:
        file.write(data)
        file.flush()
        return pyvips.Operation.call(form.loader, file.name, **how).copy_memory()


def pixels_of(image: Any) -> Tensor:
    """Decode an image of libvips of 8 or 16 bits: `1 c h w` in [0, 1]. Raises `pyvips.Error`."""
    import torch
    from einops import rearrange

    deep = image.format == "ushort"
    flat = torch.frombuffer(image.write_to_memory(), dtype=torch.uint16 if deep else torch.uint8)
    upright = rearrange(flat, "(h w c) -> 1 c h w", h=image.height, c=image.bands)
    return torch.empty(upright.shape).copy_(upright).div_(65535 if deep else 255)


def picture_of(image: Any, name: str, form: Format, told: dict[str, Any]) -> Picture:
    """Decode an image of libvips of any kind, with what its file tells. Raises `BadPicture` or `pyvips.Error`."""
    plain, holds = colour.plain(image, name, linear=form.name in LINEAR)
    bits = 16 if plain.format == "ushort" else 8
    pixels = pixels_of(plain)
    if bits == 16 and 0 < float(pixels.max()) < DARK:
        remark(f"{name} is nearly black: of 16 bits it uses 8, the darkest")
    return made(pixels, bits, name, told if holds else metadata.converted(told))


def levels_of(image: Any, name: str, form: Format, told: dict[str, Any]) -> Tensor:
    """Decode the colours of an image of libvips of any kind to 8 bits: `h w c`. Raises as `picture_of` does."""
    import torch
    from einops import rearrange

    plain, _ = colour.plain(image, name, linear=form.name in LINEAR)
    colours = plain if plain.bands in (1, 3) else plain.extract_band(0, n=3 if plain.bands > 2 else 1)
    if colours.format == "ushort":
        return rearrange(to_levels(pixels_of(colours)).to(torch.uint8), "1 c h w -> h w c")
    flat = torch.frombuffer(colours.write_to_memory(), dtype=torch.uint8)
    return flat.view(colours.height, colours.width, colours.bands)


def made(pixels: Tensor, bits: int, name: str, told: dict[str, Any]) -> Picture:
    """Return the picture of pixels, `1 c h w`, of which a second or a fourth channel is the opacity."""
    suffix, channels = Path(name).suffix.lower(), pixels.shape[1]
    return Picture(
        pixels=pixels[:, : 3 if channels > 2 else 1],
        alpha=pixels[:, -1:] if channels in (2, 4) else None,
        bits=bits,
        suffix=suffix if suffix in writable() else ".png",
        **told,
    )


def reason(error: Exception) -> str:
    """Return the one line of what libvips says that tells most."""
    lines = (line.strip() for line in str(error).splitlines()[1:])
    telling = (line.partition(": ")[2] or line for line in lines)
    return next((line for line in telling if line and line != "load error"), "libvips does not say why")
