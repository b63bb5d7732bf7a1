"""The SHA-256 of the files of a distribution, as the wheel named them that it was installed from: its RECORD."""

from __future__ import annotations

import base64
import binascii
import os
from contextlib import suppress
from pathlib import Path

from restoration.registry.metadata import distributions

KIND = "sha256="
"""What a hash of a RECORD that is of use begins with."""


def recorded_hashes(distribution: str) -> dict[Path, str]:
    """Return the SHA-256, in hexadecimal, of the files that a distribution was installed with, by their paths.

    It is empty where nothing is recorded: what is installed in place, as by `pip install --editable`, has no files.
    """
    import csv

    installed = next(distributions(distribution), None)
    text = (installed and installed.read_text("RECORD")) or ""
    found = {}
    for row in csv.reader(text.splitlines()):
        if installed is not None and len(row) > 1 and row[1].startswith(KIND):
            encoded = row[1].removeprefix(KIND)
            with suppress(binascii.Error, ValueError):
                digest = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
                found[Path(os.path.realpath(installed.locate_file(row[0])))] = digest.hex()
    return found
