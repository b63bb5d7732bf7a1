"""Batches of `restore run` and `restore degrade`, as processes: no picture ends them, and all are accounted for."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from small import picture

from restoration.images import read, write
from restoration.images.parts import PART
from restoration.scoring.report import FOOT, HEAD, is_report

PLUGIN = '''
import os
from pathlib import Path

from restoration import RestorerCard, hookimpl

ERRORS = {
    11: ValueError("eleven"),
    12: SystemExit(3),
    13: MemoryError(),
    14: OSError(28, "No space left on device"),
    15: RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
    16: TypeError("sixteen"),
}


class Echo:
    """Gives back what it is given; pictures of some widths end it, some by a signal of the number `signal`."""

    def __init__(self, *, signal: int = 0):
        self.signal = signal

    def __call__(self, observation, rng):
        width = observation.y.shape[-1]
        yield observation.y
        if width in ERRORS:
            raise ERRORS[width]
        if width == 20 and self.signal:
            os.kill(os.getpid(), self.signal)
        if width in (21, 22):
            Path("out").mkdir(exist_ok=True)
            Path("out", "cd"[width - 21] + ".png").write_bytes(b"of another process")
        yield 1 - observation.y


@hookimpl
def register_restorers():
    yield RestorerCard(name="echo", factory="echoing:Echo", summary="x", needs_weights=False)
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "echoing.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def run(restore, plugin, tmp_path):
    """Run `restore run` with the method of the plugin, in a folder of its own."""

    def call(*arguments, command="run", **keywords):
        return restore("--plugin", plugin, command, "-m", "echo", "-t", "denoise", *arguments, cwd=tmp_path, **keywords)

    return call


def draw(folder: Path, **widths: int) -> None:
    folder.mkdir(exist_ok=True)
    for name, width in widths.items():
        write(picture(8, width, width), folder / f"{name}.png")


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_whatever_one_picture_raises_the_others_are_restored_and_nobody_is_blamed_wrongly(run, tmp_path):
    draw(tmp_path / "in", a=11, b=12, c=13, d=14, e=15, f=16, g=17)
    done = run("in", "-o", "out/")
    assert done.returncode == 1
    assert done.stdout == "out/g.png\n"
    errors = done.stderr.splitlines()
    assert errors[:6] == [
        "error: in/a.png: method 'echo': eleven",
        "error: in/b.png: method 'echo' of the plugin echoing ends the program instead of answering",
        "error: in/c.png: out of memory; use a smaller --tile, or close other programs",
        "error: in/d.png: No space left on device",
        "error: in/e.png: out of memory, even in small tiles; close other programs",
        "error: in/f.png: TypeError: sixteen (a fault of the plugin echoing; --debug shows where)",
    ]
    assert errors[6:] == ["these failed:", *(f" {e.removeprefix('error:')}" for e in errors[:6]), errors[-1]]
    assert errors[-1] == "done 1, skipped 0, failed 6"
    assert "Traceback" in run("in", "-o", "again/", "--debug").stderr


def test_what_was_left_alone_skipped_and_failed_is_counted(run, tmp_path):
    draw(tmp_path / "in", a=17, b=18, c=13)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    assert run("in/a.png", "-o", "out/").stderr == "", "one picture needs no count"
    done = run("in", "-o", "out/", "--skip-existing")
    assert (done.returncode, done.stdout) == (1, "out/b.png\n")
    first, error, *_, count = done.stderr.splitlines()
    assert first == "left alone: 1 other file (1 .txt)" and error.startswith("error: in/c.png: out of memory")
    assert count == "done 1, skipped 1, failed 1"
    done = run("in", "-o", "out/", "--skip-existing", "-q")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), "errors alone"
    done = run("in/a.png", "-o", "out/", "--skip-existing")
    assert (done.returncode, done.stderr) == (0, "done 0, skipped 1, failed 0\n")
    done = run("in", "-o", "new/", "--dry-run")
    assert done.returncode == 0 and done.stderr.endswith("to do 3, skipped 0, failed 0\n")
    assert done.stdout.splitlines()[0] == "in/a.png -> new/a.png  (echo, denoise, weights None)"


def test_three_runs_into_a_folder_of_the_pictures_restore_each_picture_once(run, tmp_path):
    draw(tmp_path / "in", a=17)
    draw(tmp_path / "in" / "sub", b=18)
    for _ in range(3):
        assert run("in", "-o", "in/out/", "--skip-existing").returncode == 0
    assert names(tmp_path / "in") == ["a.png", "out/a.png", "out/sub/b.png", "sub/b.png"]


def test_what_another_process_writes_meanwhile_stays_and_is_skipped_where_that_was_asked_for(run, tmp_path):
    draw(tmp_path / "in", b=21, c=18, d=22)  # b makes c, and d makes itself
    done = run("in", "-o", "out/", "--skip-existing")
    assert (done.returncode, done.stderr) == (0, "done 1, skipped 2, failed 0\n")
    assert {(tmp_path / "out" / name).read_bytes() for name in ("c.png", "d.png")} == {b"of another process"}
    for name in ("b.png", "c.png", "d.png"):
        (tmp_path / "out" / name).unlink()
    done = run("in", "-o", "out/")
    assert done.returncode == 1 and done.stderr.endswith("done 1, skipped 0, failed 2\n")
    assert "out/c.png is already there; use --overwrite, or another name" in done.stderr
    assert (tmp_path / "out" / "c.png").read_bytes() == b"of another process"


def test_results_too_large_for_their_format_are_told_before_the_work_and_the_hint_works(restore, tmp_path):
    write(picture(2, 4100), tmp_path / "wide.webp")
    write(picture(8, 8), tmp_path / "z.png")
    how = ("-m", "regression", "-t", "sr", "--scale", "4", "--threads", 1, "--offline")
    done = restore("run", "wide.webp", "z.png", *how, "-o", "out/", cwd=tmp_path)
    assert done.returncode == 1 and names(tmp_path / "out") == ["z.png"]
    error = done.stderr.splitlines()[0]
    assert "out/wide.webp would be 16400x8, and WebP holds 16383 pixels a side; PNG and TIFF hold it" in error
    assert "fault" not in error
    hint = error.partition("restore it alone with ")[2].split()
    done = restore("run", "wide.webp", *how, *hint, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "out" / "wide.png").pixels.shape == (1, 3, 8, 16400)


def test_names_as_long_as_a_file_system_allows_are_restored(run, tmp_path):
    draw(tmp_path / "in", **{"y" * 251: 17, "z" * 237: 18, "a": 17})
    done = run("in", "-o", "out/")
    assert done.returncode == 0 and names(tmp_path / "out") == names(tmp_path / "in")
    done = run("in", "--preview")
    assert done.returncode == 1
    assert sorted(map(len, done.stdout.split())) == [len("in/a.restored.png"), 3 + 237 + len(".restored.png")]
    assert not [name for name in os.listdir(tmp_path / "in") if PART.fullmatch(name)]


def test_permissions_stay_and_with_keep_time_the_time_does(run, tmp_path):
    draw(tmp_path / "in", a=17, b=18)
    os.chmod(tmp_path / "in" / "a.png", 0o600)
    os.utime(tmp_path / "in" / "a.png", ns=(10**18, 10**18))
    assert run("in", "-o", "out/").returncode == 0
    modes = {name: (tmp_path / folder / name).stat().st_mode for folder in ("in", "out") for name in ("a.png", "b.png")}
    assert modes["a.png"] & 0o777 == 0o600 and modes["b.png"] == (tmp_path / "in" / "b.png").stat().st_mode
    assert (tmp_path / "out" / "a.png").stat().st_mtime_ns > 10**18
    assert run("in", "-o", "out/", "--overwrite", "--keep-time").returncode == 0
    assert (tmp_path / "out" / "a.png").stat().st_mtime_ns == 10**18


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_a_batch_at_once_with_what_is_done_its_report_and_its_count(run, tmp_path, number):
    draw(tmp_path / "in", a=17, b=20, c=18)
    done = run("in", "-o", "out/", "--report", "r.html", "--preview", "--set", f"signal={int(number)}")
    assert done.returncode == (130 if number == signal.SIGINT else -number)
    assert done.stdout == "out/a.png\nr.html\n"
    words = "interrupted" if number == signal.SIGINT else f"ended by {number.name}"
    assert list(filter(None, done.stderr.splitlines())) == ["done 1, skipped 0, failed 0, left 2", words]
    assert names(tmp_path / "out") == ["a.png"]
    assert is_report(tmp_path / "r.html") and (tmp_path / "r.html").read_text().count("<figure>") == 1


def test_a_killed_batch_goes_on_with_its_report_and_nothing_is_left_of_it(run, tmp_path):
    draw(tmp_path / "in", a=17, b=20, c=18)
    done = run("in", "-o", "in/{name}.clean{ext}", "--preview", "--set", f"signal={int(signal.SIGKILL)}")
    assert done.returncode == -signal.SIGKILL
    (tmp_path / "in" / ".restore-0123abcd.part").write_bytes(b"half of a picture")
    assert names(tmp_path / "in") == [
        ".restore-0123abcd.part", "a.clean.png", "a.png", "b.clean.preview.png", "b.png", "c.png"
    ]  # fmt: skip
    done = run("in", "-o", "in/{name}.clean{ext}", "--skip-existing", "--report", "r.html")
    assert (done.returncode, done.stdout) == (0, "in/b.clean.png\nin/c.clean.png\nr.html\n")
    assert names(tmp_path / "in") == ["a.clean.png", "a.png", "b.clean.png", "b.png", "c.clean.png", "c.png"]
    draw(tmp_path / "in", d=19)
    done = run("in", "-o", "in/{name}.clean{ext}", "--skip-existing", "--report", "r.html")
    assert (done.returncode, done.stdout) == (0, "in/d.clean.png\nr.html\n")
    page = (tmp_path / "r.html").read_text()
    assert page.startswith(HEAD) and page.endswith(FOOT) and page.count(FOOT) == 1
    assert [page.count(f"<figcaption>in/{name}.png") for name in "abcd"] == [0, 1, 1, 1]


def test_a_report_writes_over_nothing(run, tmp_path):
    draw(tmp_path / "in", a=17)
    before = (tmp_path / "in" / "a.png").read_bytes()
    (tmp_path / "note.html").write_text("precious")
    os.symlink("in/a.png", tmp_path / "link.html")
    for report, *more in (["note.html"], ["note.html", "--skip-existing"], ["in/a.png", "--overwrite"],
                          ["link.html", "--overwrite"], ["out/a.png", "--overwrite"]):  # fmt: skip
        done = run("in", "-o", "out/", "--report", report, *more)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, report
        assert f"--report {report} is" in done.stderr
    assert names(tmp_path) == ["in/a.png", "link.html", "note.html"]
    assert (tmp_path / "note.html").read_text() == "precious" and (tmp_path / "in" / "a.png").read_bytes() == before
    assert run("in", "-o", "out/", "--report", "note.html", "--overwrite").returncode == 0
    assert is_report(tmp_path / "note.html")


def test_a_report_that_cannot_be_written_is_told_and_the_pictures_are_written(run, tmp_path):
    draw(tmp_path / "in", a=17)
    done = run("in", "-o", "out/", "--report", "in/a.png/r.html")
    assert done.returncode == 2
    assert "cannot make the folder in/a.png: in/a.png is there, and is no folder" in done.stderr
    draw(tmp_path / "in", a=13)
    done = run("in", "-o", "out/", "--report", "r.html")
    assert done.returncode == 1 and not (tmp_path / "r.html").exists(), "there is nothing to show"


def test_files_whose_names_are_not_text_are_restored_and_named_exactly(run, tmp_path):
    draw(tmp_path / "in", a=17, b=18)
    odd, lines = os.fsdecode(b"in/\xff.png"), "in/two\nlines.png"
    os.rename(tmp_path / "in" / "a.png", tmp_path / odd)
    os.rename(tmp_path / "in" / "b.png", tmp_path / lines)
    done = run("in", "-o", "out/", "--report", "r.html", text=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"out/two\nlines.png\nout/\xff.png\nr.html\n"
    done = run("in", "-o", "out/", "--overwrite", "--json")
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["input"] for one in facts] == [lines, odd]
    (tmp_path / lines).write_bytes(b"")
    errors = run("in", "-o", "out/", "--overwrite", text=False).stderr.splitlines()
    assert errors[0] == b"error: in/two lines.png is empty"


def test_where_a_picture_goes_to_stdout_all_else_goes_to_stderr(run, tmp_path):
    draw(tmp_path, a=17, b=18)
    data = (tmp_path / "a.png").read_bytes()
    done = run("-", "--json", "--report", "r.html", input=data, text=False)
    assert done.returncode == 0
    assert done.stdout.startswith(b"\x89PNG") and done.stdout.endswith(b"IEND\xaeB`\x82")
    facts, page = done.stderr.decode().splitlines()
    assert json.loads(facts)["output"] == "-" and page == "r.html"
    done = run("-", "b.png", input=data, text=False)
    assert done.returncode == 0
    assert done.stdout.startswith(b"\x89PNG") and done.stdout.endswith(b"IEND\xaeB`\x82")
    assert done.stderr.decode().splitlines() == ["b.restored.png", "done 2, skipped 0, failed 0"]


def test_closed_streams_stop_no_work(run, tmp_path):
    draw(tmp_path, a=17, b=18)
    done = run("a.png", "b.png", "-o", "out/", first="import os; [os.close(number) for number in (0, 1, 2)]")
    assert done.returncode == 0 and names(tmp_path / "out") == ["a.png", "b.png"]
    done = run("-", "-o", "c.png", first="import os; os.close(0)")
    assert done.returncode == 1 and done.stderr == "error: stdin is empty\n"
    lost = run("a.png", "-o", "-", first="import os; os.close(1)")
    assert lost.returncode == 1 and lost.stderr == "error: a.png: cannot write to stdout: it is closed\n"


def test_full_streams_are_told_once_and_stop_no_work(run, tmp_path):
    draw(tmp_path, a=17, b=18)
    with open("/dev/full", "w") as full:
        piped = {"stdout": full}
        done = run("a.png", "b.png", "-o", "out/", **piped)
        assert done.returncode == 1 and names(tmp_path / "out") == ["a.png", "b.png"]
        assert done.stderr.splitlines() == [
            "error: cannot write to stdout: No space left on device", "done 2, skipped 0, failed 0"
        ]  # fmt: skip
        done = run("a.png", "-o", "-", **piped)
        assert done.returncode == 1
        assert done.stderr == "error: a.png: cannot write to stdout: No space left on device\n"
        done = run("a.png", "b.png", "-o", "new/", stderr=full)
        assert done.returncode == 0 and done.stdout == "new/a.png\nnew/b.png\n"


def test_other_commands_tell_of_a_full_stdout_too(restore):
    with open("/dev/full", "w") as full:
        done = restore("methods", "--json", stdout=full)
    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")


def test_a_reader_that_has_enough_ends_a_batch_without_a_word_about_it(run, plugin, tmp_path):
    draw(tmp_path, a=17, b=18, c=19)
    readable, writable = os.pipe()
    os.close(readable)
    done = run("a.png", "b.png", "c.png", "-o", "out/", stdout=writable)
    os.close(writable)
    assert done.returncode == 1
    assert done.stderr == "done 0, skipped 0, failed 0, left 3\n"
    assert names(tmp_path / "out") == ["a.png"]


def test_a_picture_is_not_written_to_a_terminal(run, tmp_path):
    draw(tmp_path, a=17)
    terminal, other = os.openpty()
    done = run("a.png", "-o", "-", stdout=other)
    os.close(terminal)
    os.close(other)
    assert done.returncode == 2 and "the picture would go to the terminal" in done.stderr


def test_damaged_pictures_have_the_permissions_of_their_pictures_and_no_mask_is_written_over(restore, tmp_path):
    draw(tmp_path / "in", a=17)
    os.chmod(tmp_path / "in" / "a.png", 0o600)
    how = ("degrade", "-t", "inpaint", "in", "-o", "out/")
    assert restore(*how, cwd=tmp_path).returncode == 0
    assert names(tmp_path / "out") == ["a.json", "a.png", "masks/a.png"]
    assert all((tmp_path / "out" / name).stat().st_mode & 0o777 == 0o600 for name in names(tmp_path / "out"))
    before = {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")}
    for more in (("--mask", "out/masks"), ("--mask", "out/masks/a.png")):
        done = restore(*how, "--overwrite", *more, cwd=tmp_path)
        assert done.returncode == 2 and "out/masks/a.png" in done.stderr
    done = restore("degrade", "--recipe", "out/a.json", "in", "-o", "out/", "--overwrite", cwd=tmp_path)
    assert done.returncode == 2 and "its result out/a.json is an input" in done.stderr
    done = restore("run", "-m", "regression", "-t", "inpaint", "--mask", "out/masks/a.png", "in", "-o", "out/masks/",
                   "--overwrite", cwd=tmp_path)  # fmt: skip
    assert done.returncode == 2 and "its result out/masks/a.png is an input" in done.stderr
    assert {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")} == before


def test_scores_are_not_written_over_what_is_scored(restore, weights, tmp_path):
    draw(tmp_path / "in", a=17, b=18)
    how = ("score", "-t", "derain", "--data", "in", "-m", "ir-sde", "--weights", weights, "--format", "csv")
    os.symlink("in/b.png", tmp_path / "table.csv")
    for output in ("in/a.png", "table.csv", weights / "README.md"):
        done = restore(*how, "-o", output, "--overwrite", cwd=tmp_path)
        assert done.returncode == 2 and "an input; choose another name" in done.stderr
