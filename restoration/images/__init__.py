"""Pictures on a disk: read and written whole, with all that their files say beside the pixels."""

from restoration.images.codec import SUFFIXES, can_write, decode, encode
from restoration.images.files import make_folder, read, write, write_bytes

__all__ = ["SUFFIXES", "can_write", "decode", "encode", "make_folder", "read", "write", "write_bytes"]
