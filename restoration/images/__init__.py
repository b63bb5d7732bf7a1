"""Pictures on a disk: read and written whole, with all that their files say beside the pixels."""

from restoration.images.codec import can_write, check, decode, decode_all, encode
from restoration.images.files import read, read_all, write, write_bytes
from restoration.images.formats import SUFFIXES, is_picture, readable, writable

__all__ = [
    "SUFFIXES",
    "can_write",
    "check",
    "decode",
    "decode_all",
    "encode",
    "is_picture",
    "read",
    "read_all",
    "readable",
    "writable",
    "write",
    "write_bytes",
]
