"""What is said about pictures while they are read and written: by the log, which the command line shows as lines."""

from __future__ import annotations

import logging
from functools import cache

log = logging.getLogger("restoration")


def remark(text: str) -> None:
    """Say something about one picture."""
    log.warning("%s", text)


@cache
def once(text: str) -> None:
    """Say something that holds for many pictures, the first time only."""
    log.warning("%s", text)
