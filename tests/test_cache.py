"""Decoded pictures in a file: shared, bounded, and gone when the training is."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from forking import python
from torch import Tensor

from restoration.training.cache import PREFIX, PixelCache, usual_limit


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def levels(height: int, width: int, channels: int = 3) -> Tensor:
    rng = torch.Generator().manual_seed(height * width)
    return torch.randint(0, 256, (height, width, channels), generator=rng, dtype=torch.uint8)


def size(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def test_windows_are_those_of_the_picture() -> None:
    cache, pictures = PixelCache(5, 10**6), {0: levels(40, 30), 3: levels(7, 200), 4: levels(9, 9, 1)}
    for number, pixels in pictures.items():
        assert cache.window(number, slice(0, 1), slice(0, 1)) is None
        cache.put(number, pixels)
    for number, pixels in pictures.items():
        assert cache.size(number) == pixels.shape[:2]
        for rows, columns in ((slice(0, 7), slice(0, 9)), (slice(3, 5), slice(8, 9)), (slice(6, 7), slice(0, 1))):
            window = cache.window(number, rows, columns)
            assert window is not None and torch.equal(window, pixels[rows, columns])
    assert cache.window(1, slice(0, 1), slice(0, 1)) is None


def test_another_process_finds_what_was_put_and_adds_to_it(tmp_path: Path) -> None:
    cache = PixelCache(3, 10**6)
    cache.put(0, levels(20, 30))
    (tmp_path / "other.py").write_text(
        "import pickle, sys, torch\n"
        "cache = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "assert cache.size(0) == (20, 30) and cache.size(1) is None\n"
        "cache.put(1, torch.full((4, 5, 3), 7, dtype=torch.uint8))\n"
    )
    done = python(tmp_path / "other.py", pickle.dumps(cache).hex())
    assert done.returncode == 0, done.stderr
    window = cache.window(1, slice(1, 3), slice(0, 5))
    assert window is not None and window.tolist() == [[[7] * 3] * 5] * 2, "the other's files outlive it"
    assert Path(cache.folder).exists()


def test_no_process_writes_more_than_its_limit(temporary: Path) -> None:
    cache = PixelCache(1000, 100_000)
    for number in range(1000):
        cache.put(number, levels(20, 30))
    held = sum(cache.size(number) is not None for number in range(1000))
    assert 40 <= held <= 100_000 // (20 * 30 * 3) and cache.size(0) == (20, 30)
    assert size(temporary) < 100_000 + 4096 + 8000


def test_without_a_limit_nothing_is_kept_or_written(temporary: Path) -> None:
    cache = PixelCache(3, 0)
    cache.put(0, levels(4, 4))
    assert cache.size(0) is None and cache.window(0, slice(0, 1), slice(0, 1)) is None
    assert list(temporary.iterdir()) == []


def test_its_files_go_with_it_and_those_of_killed_processes_with_the_next(temporary: Path) -> None:
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    killed, running = temporary / f"{PREFIX}{gone.stdout.strip()}-abc", temporary / f"{PREFIX}{os.getpid()}-abc"
    for folder in (killed, running):
        folder.mkdir()
        (folder / "index").write_bytes(b"0")
    cache = PixelCache(3, 1000)
    copy = pickle.loads(pickle.dumps(cache))
    cache.put(0, levels(4, 4))
    assert not killed.exists() and running.exists()
    folder = Path(cache.folder)
    assert copy.size(0) == (4, 4)
    del copy
    gc.collect()
    assert folder.exists(), "a copy does not remove what it reads"
    del cache
    gc.collect()
    assert not folder.exists()


def test_what_cannot_be_written_is_not_kept() -> None:
    cache = PixelCache(3, 10**6)
    shutil.rmtree(cache.folder)
    cache.put(0, levels(4, 4))
    assert cache.limit == 0, "nor is it tried again"


def test_what_is_usual_fits_into_the_memory_and_the_disk() -> None:
    assert 0 < usual_limit() < 2**40
