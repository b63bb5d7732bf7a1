"""Pictures on a disk: read and written whole, with all that their files say beside the pixels."""

from restoration.images.codec import SUFFIXES, can_write, decode, encode
from restoration.images.files import Source, read, read_levels, read_size, write, write_bytes

__all__ = [
    "SUFFIXES",
    "Source",
    "can_write",
    "decode",
    "encode",
    "read",
    "read_levels",
    "read_size",
    "write",
    "write_bytes",
]
