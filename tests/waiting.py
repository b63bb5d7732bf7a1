"""A program for several processes that imports nothing heavy: each writes its number into a folder, and then waits.

`python waiting.py FOLDER [END]`: with END the second process ends so, "killed" or with an exit code.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    folder, *end = sys.argv[1:]
    Path(folder, str(os.getpid())).touch()
    if end and os.environ["RANK"] == "1":
        if end == ["killed"]:
            os.kill(os.getpid(), signal.SIGKILL)
        sys.exit(int(end[0]))
    time.sleep(300)
