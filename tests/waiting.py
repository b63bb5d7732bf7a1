"""Work for several processes that imports nothing heavy; each process writes its number into a folder first."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from restoration.errors import RestorationError


def wait(folder: Path, observe: Callable[[Any], None]) -> None:
    """Wait for somebody to end this."""
    part = folder / f"{os.getpid()}.part"
    part.touch()
    part.rename(folder / f"{os.getpid()}")
    time.sleep(300)


def die(folder: Path, observe: Callable[[Any], None]) -> None:
    """Wait, but the second process ends as the system ends one that takes too much memory."""
    if os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    wait(folder, observe)


def refuse(observe: Callable[[Any], None]) -> None:
    """Find what all of them find."""
    raise RestorationError("no picture is large enough")


if __name__ == "__main__":
    from waiting import wait as wait_elsewhere

    from restoration.cli.processes import launch

    launch(2, 1, partial(wait_elsewhere, Path(sys.argv[1])), print)
