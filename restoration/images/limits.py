"""How large a picture a format holds: known before the work, not found out after it."""

from __future__ import annotations

from pathlib import Path

from restoration.errors import BadPicture
from restoration.images.formats import by_suffix


def check_size(path: Path, height: int, width: int) -> None:
    """Raise `BadPicture` if the format that a file is named for cannot hold a picture of so many pixels."""
    form = by_suffix(path.suffix.lower())
    if form is not None and max(height, width) > form.side:
        raise BadPicture(
            f"{path} would be {width}x{height}, and {form.name} holds {form.side} pixels a side; "
            f"PNG and TIFF hold it: restore it alone with -o {path.with_suffix('.png')}"
        )
