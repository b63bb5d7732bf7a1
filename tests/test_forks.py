"""Processes forked after pictures were read and restored: the threads of libraries are not copied with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from forking import python
from small import picture

from restoration.images import read, write
from restoration.picture import Picture

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

SCRIPT = """
import logging, multiprocessing, sys
from pathlib import Path
import torch
from restoration import Restoration, read, write
from restoration.errors import BadPicture
from restoration.images import read_all, read_levels, read_size
from restoration.images.assembly import Assembly

folder = Path(sys.argv[1])

def work(number):
    found = read(folder / "one.png")
    write(restored(found, seed=0).picture, folder / f"child{number}.png")
    assert read_size(folder / "one.png") == found.pixels.shape[-2:]
    assert read_levels(folder / "one.png").shape == (*found.pixels.shape[-2:], 3)
    frames = read_all(folder / "two.gif")
    again = Assembly(".gif", len(frames), frames.timing)
    for frame in frames:
        again.add(frame)
    (folder / f"child{number}.gif").write_bytes(again.file())
    heard = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())
    logging.getLogger("restoration").addHandler(handler)
    read(folder / "cut.png", damaged=True)
    try:
        read(folder / "cut.png")
    except BadPicture as error:
        return heard, str(error)

torch.set_num_threads(2)
restored = Restoration("regression", "denoise", precision="fp32")
write(restored(read(folder / "one.png"), seed=0).picture, folder / "parent.png")
with multiprocessing.get_context("fork").Pool(2) as pool:
    for heard, error in pool.map(work, range(2), chunksize=1):
        print(*heard, error, sep="\\n")
"""


@pytest.mark.slow
def test_a_fork_after_a_first_picture_reads_restores_and_writes_as_its_parent_does(tmp_path: Path) -> None:
    write(picture(96, 80), tmp_path / "one.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "one.png").read_bytes()[:-4000])
    two_frames(tmp_path / "two.gif")
    (tmp_path / "script.py").write_text(SCRIPT)

    done = python(tmp_path / "script.py", tmp_path, env={**os.environ, "OMP_NUM_THREADS": "2"}, timeout=120)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == lines[2:]
    assert "what there is of it is used" in lines[0] and "cut.png is damaged and cannot be read whole" in lines[1]
    for number in range(2):
        child = read(tmp_path / f"child{number}.png").pixels
        assert (child - read(tmp_path / "parent.png").pixels).abs().max() <= 1 / 255 + 1e-6
        assert (tmp_path / f"child{number}.gif").read_bytes()[:6] == b"GIF89a"


def two_frames(path: Path) -> None:
    from restoration.images.assembly import Assembly
    from restoration.images.pictures import Timing

    frames = Assembly(".gif", 2, Timing((100, 100)))
    for level in (0.0, 1.0):
        frames.add(Picture(pixels=torch.full((1, 3, 16, 16), level)))
    path.write_bytes(frames.file())


@pytest.mark.slow
def test_a_server_of_pictures_that_was_killed_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    write(picture(32, 32), tmp_path / "one.png")
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal, sys\n"
        "from restoration import read\n"
        "from restoration.errors import RestorationError\n"
        "from restoration.images import forked\n"
        "read(sys.argv[1])\n"
        "if os.fork():\n"
        "    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))\n"
        "read(sys.argv[1])\n"
        "forked._state.server.kill()\n"
        "try:\n"
        "    read(sys.argv[1])\n"
        "except RestorationError as error:\n"
        "    print(error, flush=True)\n"
        "read(sys.argv[1])\n"
        "os._exit(0)\n"
    )

    done = python(script, tmp_path / "one.png", timeout=60)

    assert done.returncode == 0, done.stderr
    assert "'spawn' or 'forkserver'" in done.stdout
