"""Processes that are forked after pictures were read can read pictures too, and so can their children."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import pytest
from small import picture

from restoration.images import read, write

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def sizes(path: Path) -> tuple[int, ...]:
    return tuple(read(path).pixels.shape)


def child(path: Path, depth: int) -> int:
    """Return the exit code of a fork that reads a picture, writes one, and forks once more."""
    number = os.fork()
    if number:
        return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    code = 1
    try:
        signal.alarm(60)  # a child that waits for a thread that is gone waits for ever
        write(read(path), path.with_name(f"{depth}.png"))
        code = child(path, depth - 1) if depth > 1 else 0
    finally:
        os._exit(code)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_after_a_first_picture_reads_and_writes_others(tmp_path: Path) -> None:
    write(picture(200, 300), tmp_path / "a.png")
    for _ in range(5):
        assert sizes(tmp_path / "a.png") == (1, 3, 200, 300)
        assert child(tmp_path / "a.png", 2) == 0
    assert sizes(tmp_path / "1.png") == (1, 3, 200, 300), "and the parent goes on"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are not forked")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_pool_of_forked_processes_reads_pictures(tmp_path: Path) -> None:
    for seed in range(6):
        write(picture(40 + seed, 48, seed), tmp_path / f"{seed}.png")
    paths = [tmp_path / f"{seed}.png" for seed in range(6)]
    expected = [sizes(path) for path in paths]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(sizes, paths).get(60) == expected
