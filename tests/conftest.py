"""What several tests need: small weights, a small picture, and the command line as a process."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from forking import Run, commands
from small import make_weights, picture

from restoration.images import write

Restore = Run

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # shells start background jobs so; tests press Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # and nohup so
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

MOST_WORKERS = 4
"""The most processes that `-n auto` shares the tests among."""
MEMORY = 3 * 2**30
"""The bytes of memory that each of them may come to need, with those that its tests start."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes `-n auto` is: one more than processors, for tests wait too, if memory suffices."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(MOST_WORKERS, processors + 1, memory // MEMORY))


@pytest.fixture(autouse=True)
def remarks() -> None:
    """Let remarks be heard, whatever a command of a test before has set."""
    log = logging.getLogger("restoration")
    log.setLevel(logging.NOTSET)
    log.propagate = True


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small weights of ir-sde for derain."""
    return make_weights(tmp_path_factory.mktemp("weights") / "ir-sde")


@pytest.fixture
def rainy(tmp_path: Path) -> Path:
    """The path of a small picture."""
    path = tmp_path / "rainy.png"
    write(picture(), path)
    return path


@pytest.fixture(scope="session")
def restore() -> Iterator[Run]:
    """Run `restore` as a process, quickly; keywords are those of `subprocess.run`."""
    with commands() as run:
        yield run


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four small clean pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(4):
        write(picture(40, 48, seed), folder / f"{seed}.png")
    return folder
