"""Pictures on a disk: read and written whole, with all that their files say beside the pixels; folders and pairs."""

from restoration.images.codec import can_write, decode, decode_all, encode
from restoration.images.files import (
    Source,
    make_folder,
    read,
    read_all,
    read_levels,
    read_size,
    read_stream,
    write,
    write_bytes,
)
from restoration.images.folders import CLEAN, Pair, pairs_in, pictures_in
from restoration.images.formats import SUFFIXES, is_picture, readable, writable

__all__ = [
    "CLEAN",
    "SUFFIXES",
    "Pair",
    "Source",
    "can_write",
    "decode",
    "decode_all",
    "encode",
    "is_picture",
    "make_folder",
    "pairs_in",
    "pictures_in",
    "read",
    "read_all",
    "read_levels",
    "read_size",
    "read_stream",
    "readable",
    "writable",
    "write",
    "write_bytes",
]
