"""Files are whole under their final names, replace nothing unasked, and what killed processes leave is cleared."""

from __future__ import annotations

import os
import signal

import pytest
from forking import start

from restoration.errors import RestorationError
from restoration.images import write_bytes
from restoration.images.parts import PART, Part, clear_parts, part_name


def test_a_file_has_its_name_once_it_is_whole(tmp_path):
    part = Part(tmp_path / "a.txt")
    part.write(b"half")
    (name,) = os.listdir(tmp_path)
    assert PART.fullmatch(name)
    part.write(b" and half")
    part.finish()
    assert os.listdir(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"half and half"


def test_nothing_is_left_of_a_file_that_failed_and_an_old_one_stays(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"old")

    def fail():
        with Part(tmp_path / "a.txt") as part:
            part.write(b"new")
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        fail()
    assert os.listdir(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"old"


def test_a_file_that_came_into_being_in_the_meantime_is_not_replaced(tmp_path):
    part = Part(tmp_path / "a.txt", overwrite=False)
    part.write(b"new")
    (tmp_path / "a.txt").write_bytes(b"of somebody else")
    with pytest.raises(RestorationError, match=r"a\.txt is already there; use --overwrite, or another name"):
        part.finish()
    assert (tmp_path / "a.txt").read_bytes() == b"of somebody else"
    assert os.listdir(tmp_path) == ["a.txt"]
    write_bytes(b"new", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_bytes() == b"new"


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path):
    (tmp_path / "mine.txt").write_bytes(b"mine")
    os.symlink("mine.txt", tmp_path / "a.txt")
    with pytest.raises(RestorationError, match="already there"):
        write_bytes(b"new", tmp_path / "a.txt", overwrite=False)
    write_bytes(b"new", tmp_path / "a.txt")
    assert (tmp_path / "mine.txt").read_bytes() == b"mine"
    assert (tmp_path / "a.txt").read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o777])
def test_permissions_and_if_wanted_times_are_those_of_another_file(tmp_path, mode):
    (tmp_path / "in").write_bytes(b"x")
    os.chmod(tmp_path / "in", mode)
    os.utime(tmp_path / "in", ns=(10**18, 10**18 + 123456789))
    like = os.stat(tmp_path / "in")
    for keep_time in (False, True):
        with Part(tmp_path / "out", like=like, keep_time=keep_time) as part:
            assert os.stat(part.part).st_mode & 0o077 & ~mode == 0, "never open to more people"
            part.write(b"y")
        done = os.stat(tmp_path / "out")
        assert done.st_mode & 0o777 == mode
        assert (done.st_mtime_ns == like.st_mtime_ns) == keep_time


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path):
    for name in ("n" * 255, "ü" * 127):
        write_bytes(b"x", tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"x"
    with pytest.raises(RestorationError, match="File name too long"):
        write_bytes(b"x", tmp_path / ("n" * 256))
    assert len(os.listdir(tmp_path)) == 2


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(RestorationError, match=r"cannot write .*/no/a\.txt: No such file or directory"):
        write_bytes(b"x", tmp_path / "no" / "a.txt")


def test_what_a_killed_process_left_is_cleared_and_what_a_running_one_writes_stays(tmp_path):
    (tmp_path / "writes.py").write_text(
        "import pathlib, sys, time\nfrom restoration.images.parts import Part\n"
        "part = Part(pathlib.Path(sys.argv[1]) / 'a')\npart.write(b'x')\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    folder = tmp_path / "pictures"
    folder.mkdir()
    process = start(tmp_path / "writes.py", folder)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    (folder / ".restore-mine.part").write_bytes(b"a user's")
    assert clear_parts(folder) == 0
    assert len(os.listdir(folder)) == 2
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert clear_parts(folder) == 1
    assert os.listdir(folder) == [".restore-mine.part"]
    assert clear_parts(folder / "no folder") == 0


def test_what_was_left_is_gone_on_with_under_its_name_alone(tmp_path):
    name = part_name("the hash of it")
    assert PART.fullmatch(name) and name != part_name("another")
    (tmp_path / name).write_bytes(b"half")
    (tmp_path / part_name("another")).write_bytes(b"lost")
    assert clear_parts(tmp_path, name) == 1
    with Part(tmp_path / "a.txt", resumed=name) as part:
        assert part.size == 4
        part.write(b" and half")
    assert os.listdir(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"half and half"


def test_ctrl_c_leaves_what_can_be_gone_on_with_and_no_other_failure_does(tmp_path):
    def end(error, name):
        with Part(tmp_path / "a.txt", resumed=name) as part:
            part.write(b"half")
            raise error

    name = part_name("it")
    for error, resumed, left in (
        (ValueError, name, []),
        (KeyboardInterrupt, "", []),
        (KeyboardInterrupt, name, [name]),
    ):
        with pytest.raises(error):
            end(error, resumed)
        assert os.listdir(tmp_path) == left


def test_a_link_in_the_place_of_what_was_left_is_not_followed(tmp_path):
    (tmp_path / "mine.txt").write_bytes(b"mine")
    name = part_name("it")
    os.symlink("mine.txt", tmp_path / name)
    with Part(tmp_path / "a.txt", resumed=name) as part:
        part.write(b"new")
    assert (tmp_path / "mine.txt").read_bytes() == b"mine"
    assert (tmp_path / "a.txt").read_bytes() == b"new"
