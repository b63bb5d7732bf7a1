"""Which file formats there are: known by their first bytes, read and written where this machine's libvips can."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

ANY = 2**31 - 1
"""The side of a format that holds pictures of any size that there is."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A file format: how its files begin, how they are called, what libvips reads and writes them with, what they hold.

    `side` is the most pixels that a side may have; `deep` says whether it holds 16 bits, `alpha` transparency,
    `animated` frames with their timing, `lossy` whether a quality is chosen; `save` are options of libvips for it.
    """

    name: str
    sign: bytes
    suffixes: tuple[str, ...]
    loader: str
    saver: str
    load: Mapping[str, Any] = field(default_factory=dict)
    save: Mapping[str, Any] = field(default_factory=dict)
    side: int = ANY
    deep: bool = False
    alpha: bool = True
    animated: bool = False
    lossy: bool = False

    @property
    def readable(self) -> bool:
        """Whether this machine's libvips reads it."""
        return self.loader in operations()

    @property
    def writable(self) -> bool:
        """Whether this machine's libvips writes it."""
        return self.saver in operations()


FORMATS = (
    Format(
        name="PNG",
        sign=rb"\x89PNG\r\n\x1a\n",
        suffixes=(".png", ".apng"),
        loader="pngload_buffer",
        saver="pngsave_buffer",
        save={"compression": 3},
        deep=True,
        animated=True,
    ),
    Format(
        name="JPEG",
        sign=rb"\xff\xd8\xff",
        suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"),
        loader="jpegload_buffer",
        saver="jpegsave_buffer",
        save={"Q": 95},
        side=65535,
        alpha=False,
        lossy=True,
    ),
    Format(
        name="TIFF",
        sign=rb"II[*+]\0|MM\0[*+]",
        suffixes=(".tif", ".tiff"),
        loader="tiffload_buffer",
        saver="tiffsave_buffer",
        save={"compression": "deflate"},
        deep=True,
    ),
    Format(
        name="WebP",
        sign=rb"RIFF....WEBP",
        suffixes=(".webp",),
        loader="webpload_buffer",
        saver="webpsave_buffer",
        save={"Q": 95},
        side=16383,
        animated=True,
        lossy=True,
    ),
    Format(
        name="GIF",
        sign=rb"GIF8[79]a",
        suffixes=(".gif",),
        loader="gifload_buffer",
        saver="gifsave_buffer",
        save={"keep_duplicate_frames": True},
        side=65535,
        animated=True,
    ),
    Format(
        name="AVIF",
        sign=rb"....ftyp(?:avi[fs]|m(?:if|sf)1.{4}(?:.{4})*?avif)",
        suffixes=(".avif",),
        loader="heifload_buffer",
        saver="heifsave_buffer",
        save={"compression": "av1", "Q": 90},
        side=16384,
        deep=True,
        lossy=True,
    ),
    Format(
        name="HEIC",
        sign=rb"....ftyp(?:he[iv][cxms]|m(?:if|sf)1)",
        suffixes=(".heic", ".heif"),
        loader="heifload_buffer",
        saver="",  # whether there is an encoder only an attempt shows, and results that may fail at last are no results
        deep=True,
    ),
    Format(
        name="JPEG XL",
        sign=rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n",
        suffixes=(".jxl",),
        loader="jxlload_buffer",
        saver="jxlsave_buffer",
        save={"Q": 95},
        deep=True,
        lossy=True,
    ),
    Format(
        name="JPEG 2000",
        sign=rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
        suffixes=(".jp2", ".j2k", ".jpf", ".jpx"),
        loader="jp2kload_buffer",
        saver="jp2ksave_buffer",
        save={"lossless": True},
        deep=True,
    ),
    Format(
        name="BMP",
        sign=rb"BM.{8}..\0\0[\x0c\x28\x38\x40\x6c\x7c]\0\0\0",
        suffixes=(".bmp", ".dib"),
        loader="magickload_buffer",
        saver="magicksave_buffer",
        save={"format": "bmp"},
        alpha=False,
    ),
    Format(
        name="PNM",
        sign=rb"P[1-6Ff]\s",
        suffixes=(".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
        loader="ppmload_buffer",
        saver="ppmsave_target",
        deep=True,
        alpha=False,
    ),
    Format(
        name="Radiance HDR",
        sign=rb"#\?(?:RADIANCE|RGBE)",
        suffixes=(".hdr",),
        loader="radload_buffer",
        saver="radsave_buffer",
        deep=True,
        alpha=False,
    ),
    Format(
        name="OpenEXR",
        sign=rb"\x76\x2f\x31\x01",
        suffixes=(".exr",),
        loader="openexrload",
        saver="",  # libvips only reads it
    ),
)
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
"""Suffixes of the formats that every libvips reads and writes; `readable` and `writable` say what this one does."""
DEEP = (".png", ".tif", ".tiff")
"""Those of the formats among them that lose nothing, and hold 16 bits."""
HEAD = 64
"""So many bytes tell every format."""
LOADERS = {one.loader for one in FORMATS}


@cache
def operations() -> frozenset[str]:
    """Return the operations of this machine's libvips among those that read or write a format."""
    import pyvips

    pyvips.cache_set_max(0)  # nothing is read twice; the cache would keep whole pictures
    names = LOADERS | {one.saver for one in FORMATS}
    return frozenset(name for name in names if name and pyvips.type_find("VipsOperation", name))


def recognise(data: bytes) -> Format | None:
    """Return the format of a file by its first bytes, whatever its name; None if it is none of ours."""
    return next((one for one in FORMATS if re.match(one.sign, data[:HEAD], re.DOTALL)), None)


def by_suffix(suffix: str) -> Format | None:
    """Return the format that a suffix such as ".png" stands for, whether or not it can be written here."""
    return next((one for one in FORMATS if suffix in one.suffixes), None)


@cache
def readable() -> tuple[str, ...]:
    """Return the suffixes of the files that can be read here."""
    return tuple(suffix for one in FORMATS if one.readable for suffix in one.suffixes)


@cache
def writable() -> tuple[str, ...]:
    """Return the suffixes that results may have here."""
    return tuple(suffix for one in FORMATS if one.writable for suffix in one.suffixes)


def is_picture(name: str) -> bool:
    """Say whether a file in a folder is taken for a picture: by its suffix, but not the `._*` files of macOS."""
    return os.path.splitext(name)[1].lower() in readable() and not name.startswith("._")
