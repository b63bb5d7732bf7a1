"""Files that cannot be read here: what they are by their first bytes, and what to do with them."""

from __future__ import annotations

import re

from restoration.images.formats import FORMATS, Format

KINDS = (
    (rb"\s*(?:<!doctype html|<html|<head|<body)", "a web page, such as an error in place of a picture; fetch it again"),
    (rb"version https://git-lfs", "a pointer of Git LFS to a picture; get the picture by git lfs pull"),
    (rb"%PDF-", "a PDF; save its pages as pictures first"),
    (rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml|<svg|<!--)", "a drawing (SVG) or another XML; save it as PNG first"),
    (rb"8BPS", "a file of Photoshop (PSD); save it as PNG or TIFF first"),
    (rb"gimp xcf", "a file of GIMP; export it as PNG first"),
    (rb"\x00\x00[\x01\x02]\x00.\x00", "an icon; save it as PNG first"),
    (rb"....ftypcrx|FUJIFILMCCD-RAW|IIRO|IIU\x00|\x00MRM", "raw data of a camera; develop it first, to TIFF or JPEG"),
    (rb"....ftyp(?:qt|mp4|isom|iso[2-9]|M4V|3gp|avc1|dash|MSNV)", "a film; save its frames as pictures first"),
    (rb"\x1a\x45\xdf\xa3|RIFF....AVI |OggS|\x00\x00\x01\xba", "a film; save its frames as pictures first"),
    (rb"PK\x03\x04|Rar!|7z\xbc\xaf|\x1f\x8b", "an archive; unpack it first"),
    (rb"\x00\x05\x16\x07", "a note of macOS on another file; the picture is the one without ._"),
    (rb"\x00{64}", "zeros at its beginning, as a copy that failed leaves it; copy the picture again"),
)
"""How files begin that are mistaken for pictures, as a pattern, and what they are."""


def describe_unknown(data: bytes) -> str:
    """Say in words after a name what a file of no known format is."""
    found = next((what for sign, what in KINDS if re.match(sign, data[:64], re.DOTALL | re.IGNORECASE)), "")
    return f"is no picture but {found}" if found else f"is not a picture that can be read ({_names()})"


def describe_unreadable(form: Format) -> str:
    """Say in words after a name that a format cannot be read by the libvips that is here."""
    return f"is {form.name}, which cannot be read here; save it as PNG first ({_names()} can be read)"


def _names() -> str:
    return ", ".join(one.name for one in FORMATS if one.readable)
