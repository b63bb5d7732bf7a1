"""Pictures on a disk: read and written whole, with all that their files say beside the pixels; folders and pairs."""

from restoration.images.codec import SUFFIXES, can_write, decode, encode
from restoration.images.files import Source, make_folder, read, read_levels, read_size, write, write_bytes
from restoration.images.folders import CLEAN, Pair, pairs_in, pictures_in

__all__ = [
    "CLEAN",
    "SUFFIXES",
    "Pair",
    "Source",
    "can_write",
    "decode",
    "encode",
    "make_folder",
    "pairs_in",
    "pictures_in",
    "read",
    "read_levels",
    "read_size",
    "write",
    "write_bytes",
]
