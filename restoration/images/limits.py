"""How large a picture a format holds: known before the work, not found out after it."""

from __future__ import annotations

from pathlib import Path

from restoration.errors import BadPicture

LONGEST_SIDE = {".webp": 16383, ".avif": 16384, ".heic": 16384, ".jpg": 65535, ".jpeg": 65535, ".gif": 65535}
"""The most pixels of a side, for the formats that have such a limit."""


def check_size(path: Path, height: int, width: int) -> None:
    """Raise `BadPicture` if the format that a file is named for cannot hold a picture of so many pixels."""
    most = LONGEST_SIDE.get(path.suffix.lower())
    if most is not None and max(height, width) > most:
        format_name = path.suffix[1:].upper()
        raise BadPicture(
            f"{path} would be {width}x{height}, and {format_name} holds {most} pixels a side; "
            f"PNG and TIFF hold it: restore it alone with -o {path.with_suffix('.png')}"
        )
