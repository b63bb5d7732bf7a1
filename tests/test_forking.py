"""What the fixture `restore` runs is a process like any other, though it is a copy of one that is there already."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest
from forking import start

PLUGIN = """
import json, os, signal, sys, time
from pathlib import Path

word = sys.stdin.read()
if word == "sleep":
    time.sleep(60)
if word == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if word == "fail":
    raise ValueError("no word")
heard = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
told = [word, os.environ["PLACE"], sys.argv[1:], os.environ.get("HOME"), heard, os.getppid(), "torch" in sys.modules]
Path("told.json").write_text(json.dumps(told))
"""


@pytest.fixture
def word(restore, tmp_path):
    """Run a command, in the folder of the test, that does what a word says."""
    (tmp_path / "mine.py").write_text(PLUGIN)

    def run(told, **keywords):
        return restore("--plugin", "mine.py", "methods", **{"cwd": tmp_path, "input": told, **keywords})

    return run


@pytest.mark.parametrize("new", [False, True])
def test_a_command_has_its_own_folder_words_environment_and_stdin(word, tmp_path, new):
    more = {"start_new_session": False} if new else {}
    own = {name: value for name, value in os.environ.items() if name != "HOME"}
    done = word("wörd", env={**own, "PLACE": "here"}, **more)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("method\t")
    *told, parent, torch = json.loads((tmp_path / "told.json").read_text())
    assert told == ["wörd", "here", ["--plugin", "mine.py", "methods"], None, True]
    assert (parent == os.getpid()) is new and torch is not new


def test_streams_are_bytes_if_asked(word):
    assert word(b"x", text=False, env={**os.environ, "PLACE": ""}).stdout.startswith(b"method\t")


def test_variables_that_python_reads_at_its_start_get_a_new_one(word, tmp_path):
    word("x", env={**os.environ, "PLACE": "", "PYTHONUTF8": "1"})
    assert json.loads((tmp_path / "told.json").read_text())[-2] == os.getpid()


def test_how_a_command_ended_is_told(word):
    assert word("die").returncode == -9
    assert word("fail").returncode == word("fail", start_new_session=False).returncode != 0
    with pytest.raises(subprocess.TimeoutExpired):
        word("sleep", timeout=0.2)


def test_what_it_begins_with_may_close_its_streams(word, tmp_path):
    done = word("x", env={**os.environ, "PLACE": ""}, first="import os; os.close(1)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "") and (tmp_path / "told.json").exists()


WAITS = """
import os, sys, time
try:
    print(os.getsid(0) == os.getpid(), flush=True)
    for _ in range(1200):  # a signal just before a sleep only counts after it
        time.sleep(0.05)
except KeyboardInterrupt:
    print("x" * 200_000, file=sys.stderr)
    sys.exit(5)
"""


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("session", [False, True])
def test_one_that_is_started_can_be_watched_and_ended(tmp_path, session, new):
    (tmp_path / "waits.py").write_text(WAITS)
    environment = {**os.environ, "PYTHONUTF8": "1"} if new else None
    process = start("waits.py", cwd=tmp_path, env=environment, session=session)
    assert process.stdout is not None and process.stdout.readline() == f"{session}\n"
    assert process.poll() is None
    (os.killpg if session else os.kill)(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert (out, len(errors), process.returncode, process.poll()) == ("", 200_001, 5, 5)


def test_a_stream_of_ours_is_written_to_and_let_go(tmp_path):
    readable, writable = os.pipe()
    process = start("-m", "restoration", "--version", stdout=writable)
    os.close(writable)
    with open(readable) as told:
        assert told.read().startswith("restore, version")
    assert process.communicate(60) == ("", "") and process.returncode == 0
