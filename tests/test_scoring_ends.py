"""A scoring that cannot go on, or is told to end, keeps the scores of the pictures that are done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forking import Run
from small import picture

from restoration.images import write

PLUGIN = '''
import os
from restoration import RestorerCard, hookimpl


class Ending:
    """The picture as it is; of the last one something happens to the process first."""

    def __init__(self, *, happens: int = 0):
        self.happens, self.seen = happens, 0

    def __call__(self, observation, rng):
        self.seen += 1
        if self.seen == 3 and self.happens:
            os.kill(os.getpid(), self.happens)
        yield observation.y


@hookimpl
def register_restorers():
    yield RestorerCard(name="ending", factory=f"{__name__}:Ending", summary="as it is", tasks=(), needs_weights=False)
'''


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    (tmp_path / "ending.py").write_text(PLUGIN)
    for part in ("clean", "degraded"):
        (tmp_path / "pairs" / part).mkdir(parents=True)
        for number in range(3):
            write(picture(24, 28, number + 10 * (part == "clean")), tmp_path / "pairs" / part / f"{number}.png")
    return tmp_path / "pairs"


SCORE = ("--plugin", "ending.py", "score", "-t", "denoise", "--data", "pairs", "--metrics", "psnr", "-o", "table.json")


def test_a_picture_that_cannot_be_read_leaves_the_scores_of_those_before_it(restore: Run, pairs: Path) -> None:
    last = pairs / "degraded" / "2.png"
    last.write_bytes(last.read_bytes()[:-40])
    done = restore(*SCORE, "-m", "ending", cwd=pairs.parent)
    assert (done.returncode, done.stdout) == (1, "table.json\n")
    told = done.stderr.splitlines()[-2:]
    assert told[0] == "the table is that of the first 2 of 3 pictures only"
    assert told[1].startswith("error: pairs/degraded/2.png is damaged") and "--damaged" not in told[1]
    text = (pairs.parent / "table.json").read_text()
    assert [one["name"] for one in json.loads(text)["pictures"]] == ["0.png", "1.png"]
    assert "pairs: the first 2 of 3 pairs" in text
    (pairs / "degraded" / "0.png").write_bytes(b"")
    none = restore(*SCORE, "-m", "ending", "--overwrite", cwd=pairs.parent)
    assert (none.returncode, none.stdout) == (2, "") and none.stderr.count("\n") == 1


@pytest.mark.parametrize(("signal", "code"), [(2, 130), (15, 143)])
def test_ctrl_c_and_a_termination_leave_the_scores_so_far(restore: Run, pairs: Path, signal: int, code: int) -> None:
    done = restore(*SCORE, "-m", f"ending,happens={signal}", cwd=pairs.parent)
    assert done.returncode in (code, -signal), done.stderr
    assert "the table is that of the first 2 of 3 pictures only" in done.stderr
    assert len(json.loads((pairs.parent / "table.json").read_text())["pictures"]) == 2
