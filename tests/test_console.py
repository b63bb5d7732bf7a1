"""What every command shares: options, answers, progress, warnings, Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from restoration import console
from restoration.console import common_options, echo_json, print_table, progress, show_warnings, tracked


@pytest.fixture(autouse=True)
def log() -> Iterator[logging.Logger]:
    """The toolbox's log, which commands change; as it was afterwards."""
    log = logging.getLogger("restoration")
    before = (list(log.handlers), log.level)
    yield log
    log.handlers[:], log.level = before


def in_process(code: str, **keywords: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"from restoration.console import *\nimport os, sys\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, **keywords)  # type: ignore[call-overload,no-any-return]


def on_a_terminal(code: str) -> str:
    """Run code in a process whose stdout and stderr are a terminal; return what that shows."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", f"from restoration.console import *\n{code}"]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env={**os.environ, "COLUMNS": "100"}) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while part := os.read(ours, 10000):
                shown += part
        assert process.wait(60) == 0, shown
    os.close(ours)
    return shown.decode()


def test_common_options_are_those_that_every_command_has() -> None:
    given = []

    @click.command()
    @common_options
    def mine(as_json: bool, quiet: bool) -> None:
        """Do nothing."""
        given.append((as_json, quiet, logging.getLogger("restoration").level))

    for words in ([], ["--json", "-q"]):
        assert CliRunner().invoke(mine, words).exit_code == 0
    assert given == [(False, False, logging.INFO), (True, True, logging.ERROR)]
    shown = CliRunner().invoke(mine, ["--help"]).output
    assert all(word in shown for word in ("--json", "--quiet", "--debug"))


def test_a_warning_is_shown_once_however_often_that_is_asked_for(
    log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        show_warnings(quiet=False)
    log.warning("too dark")
    log.info("by the way")
    assert capsys.readouterr().err == "warning: too dark\nnote: by the way\n"
    show_warnings(quiet=True)
    log.warning("too dark")
    assert capsys.readouterr().err == ""


def test_json_is_one_line_whatever_the_value(capsys: pytest.CaptureFixture[str]) -> None:
    echo_json({"a": [1.5, float("inf"), (float("nan"),)], "b": "é", "c": signal.SIGINT.__class__})
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"a": [1.5, None, [None]], "b": "é", "c": "<enum 'Signals'>"}


def test_a_table_has_one_line_a_row_and_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "what"), [("a\tb", "two\nlines"), ("\x1b[31mred", "[/x] [bold]")])
    assert capsys.readouterr().out == "name\twhat\na b\ttwo lines\n\N{REPLACEMENT CHARACTER}[31mred\t[/x] [bold]\n"
    shown = on_a_terminal("print_table(('name',), [('[/x] [bold]',)])")
    assert "[/x] [bold]" in shown


def test_a_bar_counts_on_a_terminal_and_whatever_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tracked("abc", "reading")) == ["a", "b", "c"]
    with progress("reading") as observe:
        observe(1, 2)
    assert capsys.readouterr() == ("", "")
    assert "3/3" in on_a_terminal("for one in tracked('abc', 'reading [/x]'): pass")
    assert "reading" not in on_a_terminal("for one in tracked('abc', 'reading', quiet=True): pass")


def test_nothing_is_begun_after_ctrl_c_even_where_a_library_swallowed_it() -> None:
    begun = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        for one in tracked("abc", "reading"):
            begun.append(one)
            with contextlib.suppress(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
    assert begun == ["a"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_answers_are_kept_apart_from_what_others_print() -> None:
    done = in_process(
        "with answers_apart():\n    print('python'); os.system('echo shell'); os.write(1, b'raw\\n')\nprint('answer')"
    )
    assert done.stdout == "answer\n"
    assert sorted(done.stderr.split()) == ["python", "raw", "shell"]


def test_a_process_without_stderr_or_stdout_works() -> None:
    code = "say('told'); print_table(('a',), [('b',)])\nfor one in tracked('ab', 'x'): pass\nwith answers_apart(): pass"
    for closed in (1, 2):
        shell = f'exec "$0" -c "$1" {closed}>&-'
        command = ["sh", "-c", shell, sys.executable, f"from restoration.console import *\n{code}"]
        assert subprocess.run(command, check=False, timeout=60).returncode == 0


def test_a_process_is_prepared_with_its_threads() -> None:
    done = in_process("prepare(1)\nimport torch\nprint(torch.get_num_threads())")
    assert done.stdout == "1\n"


def test_what_the_page_on_plugins_names_is_there() -> None:
    page = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text(encoding="utf-8")
    rows = page.partition("| name | what it does |")[2].partition("\n\n")[0].splitlines()[2:]
    names = [name for row in rows for name in re.findall(r"`(\w+)", row.split("|")[1])]
    assert {"common_options", "tracked", "echo_json"} <= set(names)
    assert [name for name in names if not hasattr(console, name)] == []


def test_what_workers_shared_is_given_back_without_a_word() -> None:
    code = "import multiprocessing\nkept = multiprocessing.get_context('spawn').Queue()\n"
    assert in_process(f"{code}from restoration.cli.main import leave\nleave(0)").stderr == ""
