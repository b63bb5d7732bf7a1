"""What people type by mistake, and what lies in their folders by mistake: said in a line, with what to do next."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from small import picture

from restoration.cli.inputs import find
from restoration.cli.main import _call as called
from restoration.cli.main import at_home
from restoration.console import HANDLER, echo_json
from restoration.engine.hardware import find_device
from restoration.errors import BadOption, BadPicture, nearest_path
from restoration.hub.pulling import pull
from restoration.images import decode, encode, make_folder, read, write
from restoration.images.png import SIGNATURE, chunk, chunks
from restoration.images.profile import Colours, is_whole
from restoration.images.remarks import about
from restoration.weights import resolve

HOW = ("run", "-m", "regression", "-t", "denoise", "--offline", "--threads", "1")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The current folder, with a picture, a folder with one, and an empty one."""
    monkeypatch.chdir(tmp_path)
    write(picture(8, 8), tmp_path / "a.png")
    (tmp_path / "photos").mkdir()
    (tmp_path / "empty").mkdir()
    write(picture(8, 8), tmp_path / "photos" / "x.png")
    return tmp_path


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """The toolbox's log, which commands change; as it was afterwards."""
    log = logging.getLogger("restoration")
    before = (list(log.handlers), log.level)
    yield log
    log.handlers[:], log.level = before
    for level, name in ((logging.WARNING, "WARNING"), (logging.INFO, "INFO")):
        logging.addLevelName(level, name)
    HANDLER.stream = sys.__stderr__  # that of the test is closed already


MISTAKES: dict[tuple[str, ...], str] = {
    ("",): "an input is empty, as by a variable that is not set; name files, folders, or - for stdin",
    ("https://example.org/b.png",): "https://example.org/b.png is an address; fetch the picture first",
    ("*.jpeg",): "*.jpeg: no file has a name like this pattern",
    ("empty",): "no pictures found; name files, folders, or - for stdin; empty holds no pictures",
    ("a.png", "-o", ""): "-o is empty, as by a variable that is not set; name a file or a folder",
    ("a.png", "-o", "out"): "cannot write out: it has no suffix; out.png is a file, out/ a folder for results",
    ("a.png", "-o", "a.pngg"): "cannot write a.pngg: use .png, or another of .png",
    ("a.png", "photos", "-o", "b.png"): "2 pictures cannot all go to b.png; give a folder: -o DIR/",
    ("a.png", "-o", "a.png/x/b.png"): "cannot make the folder a.png/x: a.png is there, and is no folder",
    ("photoss/x.png",): "photoss/x.png: No such file or directory; did you mean photos/x.png?",
    ("nowhere/at/all.png",): "No such file or directory; there is no folder nowhere/at",
    ("-rf.png",): "No such option '-r'; if -rf.png is a file, write ./-rf.png",
    ("a.png", "--threads", "0"): "Invalid value for '--threads': 0 is not from 1 to 1024",
    ("a.png", "--threads", "100000"): "Invalid value for '--threads': 100000 is not from 1 to 1024",
    ("a.png", "--seed", "x"): "Invalid value for '--seed': 'x' is not a whole number",
    ("a.png", "--realism", "2"): "Invalid value for '--realism': 2.0 is not from 0 to 1",
    ("a.png", "--weights", ""): "no set of weights is named ''",
    ("a.png", "--weights", "./photo"): "./photo: there is no such file or folder; did you mean photos?",
    ("a.png", "--weights", "mine/photos"): "nor is there a folder mine/photos here",
}


def test_a_slip_is_one_line_that_says_what_may_be_meant_and_nothing_is_written(folder, capsys, log):
    write(picture(8, 8), folder / "-rf.png")
    before = sorted(folder.rglob("*"))
    for words, message in MISTAKES.items():
        code = called([*HOW, *words])
        said = capsys.readouterr()
        assert code in (1, 2) and said.out == "", words
        assert message in said.err and len(said.err.splitlines()) == 1, said.err
    assert sorted(folder.rglob("*")) == before


EMPTY = {
    "score": ("-m", "regression", "-t", "denoise", "--data"),
    "train": ("regression", "-t", "denoise", "--data", "photos", "--out"),
    "run": (*HOW[1:], "a.png", "--report"),
    "degrade": ("a.png", "-o", "out/", "--recipe"),
    "weights": ("convert",),
    "audit": ("photos",),
}
"""Commands up to where a path is missing, since the variable of a script is not set."""


@pytest.mark.parametrize("command", EMPTY)
def test_no_command_takes_an_empty_path_for_the_folder_that_one_is_in(command, folder, capsys, log):
    before = sorted(folder.rglob("*"))
    assert called([command, *EMPTY[command], ""]) == 2
    assert "it is empty, as by a variable that is not set" in capsys.readouterr().err
    assert sorted(folder.rglob("*")) == before


def test_beside_good_inputs_a_pattern_without_a_file_fails_and_an_empty_folder_is_said(folder, restore):
    done = restore(*HOW, "a.png", "no*.png", "empty", "-o", "out/", cwd=folder)
    assert done.returncode == 1 and done.stdout == "out/a.png\n"
    assert "empty holds no pictures" in done.stderr and "error: no*.png: no file has a name" in done.stderr
    assert "done 1, skipped 0, failed 1" in done.stderr
    assert not find(["photos"]).empty and find(["empty", "photos"]).empty == ["empty"]


def test_a_dry_run_says_of_files_that_are_no_pictures_what_the_run_would_say(folder, restore):
    (folder / "photos" / "empty.png").touch()
    (folder / "photos" / "page.jpg").write_text("<html>not found</html>")
    (folder / "photos" / "old.bmp.png").write_bytes(b"BM" + bytes(12) + b"\x28\0\0\0" + bytes(40))
    tried, done = (restore(*HOW, "photos", "-o", "out/", *more, cwd=folder) for more in (["--dry-run"], []))
    assert tried.returncode == done.returncode == 1
    errors = [line for line in tried.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3
    assert errors == [line for line in done.stderr.splitlines() if line.startswith("error: ")]


def test_a_home_that_quotes_keep_from_the_shell_is_found(folder, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    words = ["~/a b.png", "--report=~/r.html", "-o", "~/out/{name}{ext}", "~.png", "x~/y", "--set=a=~/b"]
    home = ["/home/me/a b.png", "--report=/home/me/r.html", "-o", "/home/me/out/{name}{ext}"]
    assert at_home(words) == [*home, "~.png", "x~/y", "--set=a=~/b"]
    (folder / "~").mkdir()
    assert at_home(words) == words


def test_a_link_to_nothing_says_what_it_leads_to(folder):
    os.symlink("moved/away.png", "link.png")
    with pytest.raises(BadPicture, match=r"link\.png: .*; it is a link to moved/away\.png, which is not there"):
        read("link.png")


def test_the_nearest_path_is_found_step_by_step(folder):
    assert nearest_path("fotos/y.png") == "photos/x.png" and nearest_path("a.png") == "a.png"
    assert nearest_path(folder / "photo") == str(folder / "photos")
    assert nearest_path("quite/different.png") == ""


STRANGERS = {
    b"<!DOCTYPE html><html>": "is no picture but a web page, such as an error in place of a picture; fetch it again",
    b"version https://git-lfs.github.com/spec/v1\n": "a pointer of Git LFS to a picture",
    b"%PDF-1.7": "is no picture but a PDF; save its pages as pictures first",
    b"<?xml version='1.0'?><svg/>": "a drawing \\(SVG\\)",
    b"8BPS\0\1": "a file of Photoshop",
    b"\0\0\0\x18ftypcrx \0\0": "raw data of a camera; develop it first",
    b"\0\0\0\x18ftypisom\0\0": "a film; save its frames",
    b"PK\3\4": "an archive; unpack it first",
    bytes(100): "zeros at its beginning, as a copy that failed leaves it",
    b"BM" + bytes(12) + b"\x28\0\0\0": "is BMP, which cannot be read here; save it as PNG first",
    b"hello": r"is not a picture that can be read \(PNG, JPEG",
}


def test_what_is_no_picture_is_called_what_it_is():
    for data, words in STRANGERS.items():
        with pytest.raises(BadPicture, match=words):
            decode(data, "x.png")


def test_a_profile_that_is_broken_or_for_other_colours_is_left_out_with_a_line_that_names_the_picture(caplog):
    whole = Colours(curve=(1.8,)).profile(3)
    assert is_whole(whole) and not is_whole(whole[:-40]) and not is_whole(whole[:140]) and not is_whole(bytes(200))
    plain = encode(picture(8, 8), ".png")
    cut = plain[:33] + chunk(b"iCCP", b"x\0\0" + zlib.compress(whole[:-40])) + plain[33:]
    for data, words in (
        (_jpeg("RGB", whole[:-40]), "the colour profile of my.jpg is broken and was left out"),
        (_jpeg("L", whole), "the colour profile of my.jpg is for RGB, not for GRAY; it was left out"),
        (cut, "the colour profile of my.jpg is broken, or not for its colours; it was left out"),
        (_jpeg("RGB", whole), ""),
    ):
        caplog.clear()
        with about("my.jpg"):
            found = decode(data, "my.jpg")
        assert ("icc-profile-data" in found.metadata) == (not words)
        said = [record.getMessage() for record in caplog.records if record.name == "restoration"]
        assert said == ([words] if words else [])


def _jpeg(mode: str, profile: bytes) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (8, 8)).save(file, "JPEG", icc_profile=profile)
    return file.getvalue()


@pytest.mark.parametrize("turn", [0, 9, 255])
def test_a_tiff_that_says_it_is_turned_as_nothing_is_is_read_as_it_lies(turn):
    data = encode(picture(6, 9), ".tif")
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00"
    assert data.count(entry) == 1
    place = data.index(entry) + len(entry)
    for order in (data[:place] + turn.to_bytes(2, "little") + data[place + 2 :], data):
        assert decode(order, "a.tif").pixels.shape == (1, 3, 6, 9)


def test_devices_that_are_not_here_are_said_in_plain_words():
    import torch

    if not torch.backends.mps.is_available():
        with pytest.raises(
            BadOption, match=r"'mps' cannot be used here: PyTorch finds no GPU of Apple; leave --device"
        ):
            find_device("mps")
    with pytest.raises(BadOption, match=r"'cuda:99' cannot be used here: .*NVIDIA GPU.*; leave --device out, or use"):
        find_device("cuda:99")
    with pytest.raises(BadOption, match="device must be auto, cpu"):
        find_device("")


def test_a_mistyped_folder_of_weights_is_told_from_a_name_on_the_hub(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    (folder / "trained" / "derain").mkdir(parents=True)
    with pytest.raises(Exception, match=r"nor is there a folder trained/derian here; did you mean 'trained/derain'\?"):
        resolve("trained/derian", "regression", "derain", offline=True)
    with pytest.raises(
        Exception, match=r"nor is there a folder regression/derian here; did you mean 'regression/derain'"
    ):
        pull("regression/derian", offline=True, known=["regression/derain"])


def test_a_console_without_a_letter_gets_json_with_escapes_and_names_with_marks(folder, restore):
    write(picture(8, 8), folder / "\u4e2d.png")
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = restore(*HOW, "\u4e2d.png", "--json", "--dry-run", cwd=folder, env=environment)
    assert done.returncode == 0 and json.loads(done.stdout)["input"] == "\u4e2d.png" and done.stdout.isascii()


def test_json_stays_readable_where_the_console_can_show_it(capsys):
    echo_json({"a": "\u4e2d"})
    assert capsys.readouterr().out == '{"a": "\u4e2d"}\n'


def test_a_folder_in_the_place_of_a_file_is_said(folder):
    with pytest.raises(Exception, match=r"cannot make the folder a\.png/b: a\.png is there, and is no folder"):
        make_folder(Path("a.png/b"))
    assert [kind for kind, _ in chunks(SIGNATURE)] == []
