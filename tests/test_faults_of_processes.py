"""What plugins do to a process, seen from outside: answers stay clean, and every command ends."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from forking import Run

Call = Callable[..., "CompletedProcess[str]"]
HEAD = "import atexit, os, sys, threading, time, warnings\nfrom restoration import CommandCard, SamplerCard, hookimpl\n"
CARD = """
@hookimpl
def register_samplers():
    yield SamplerCard(name="mine", factory="collections:UserDict", summary="s")
"""


@pytest.fixture
def call(tmp_path: Path, restore: Run) -> Call:
    """Run `restore` with a plugin of this code, and no other: `call(code, "methods")`."""
    file = tmp_path / "fault_process.py"

    def call(code: str, *arguments: str) -> CompletedProcess[str]:
        file.write_text(HEAD + code)
        environment = {**os.environ, "RESTORATION_PLUGINS": ""}
        return restore("--plugin", file, *arguments, env=environment, cwd=tmp_path, timeout=60)

    return call


QUIET = {
    "prints": ("print('hello')", "wrote to stdout while it was loaded: 'hello'"),
    "writes below Python": ("os.write(1, b'raw\\n')", "wrote to stdout while it was loaded: 'raw'"),
    "prints from a shell": ("os.system('echo shell')", "wrote to stdout while it was loaded: 'shell'"),
    "closes stdout": ("sys.stdout.close()", ""),
    "goes elsewhere": ("os.chdir('/')", "changed the current folder while it was loaded"),
    "never ends a thread": ("threading.Thread(target=time.sleep, args=(1e6,)).start()", ""),
    "raises when Python ends": ("atexit.register(lambda: 1 / 0)", ""),
    "prints in a hook": (CARD.replace("yield", "print('hook'); yield"), "wrote to stdout while it was loaded: 'hook'"),
}


@pytest.mark.parametrize("what", QUIET)
def test_what_a_plugin_does_when_it_is_loaded_is_seen_by_the_check_alone(what: str, call: Call) -> None:
    code, remark = QUIET[what]
    code += "" if "register_samplers" in code else CARD
    listed = call(code, "samplers", "--json")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "mine" in [card["name"] for card in json.loads(listed.stdout)]
    checked = call(code, "plugins", "--check", "--json")
    rows = {row["name"]: row["state"] for row in json.loads(checked.stdout)}
    assert rows["fault_process"] == (remark or "ok")
    assert checked.returncode == (1 if remark else 0)


def test_a_thread_that_raises_is_one_line(call: Call) -> None:
    done = call("thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()" + CARD, "samplers")
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["error: ZeroDivisionError: division by zero (in a thread; --debug shows where)"]


COMMAND = """
import click

@hookimpl
def register_commands():
    yield CommandCard(name="mine", factory="fault_process:mine", summary="Does it.")

@click.command()
def mine():
    \"\"\"Do it.\"\"\"
    {}
"""


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("return 3", 3, ""),
        ("sys.exit(4)", 4, ""),
        ("sys.exit('no more')", 1, "no more"),
        ("sys.exit()", 0, ""),
        ("raise KeyboardInterrupt", 130, "interrupted"),
        ("raise click.UsageError('not so')", 2, "error: not so (see `restore mine --help`)"),
        ("raise ValueError('\\x1b[31mx')", 1, "(a fault of the plugin fault_process; --debug shows where)"),
        ("class B(BaseException): pass\n    raise B('x')", 1, "error: B: x (a fault of the plugin fault_process;"),
        ("from restoration import BadOption\n    raise BadOption('not this')", 2, "error: not this"),
    ],
)
def test_a_command_ends_with_its_code_and_at_most_one_line(body: str, code: int, line: str, call: Call) -> None:
    done = call(COMMAND.format(body), "mine")
    assert (done.returncode, done.stdout) == (code, "")
    assert line in done.stderr and len(done.stderr.strip().splitlines()) == bool(line)
    assert "\x1b" not in done.stderr


def test_what_is_no_command_is_one_line_in_its_help_too(call: Call) -> None:
    code = COMMAND.format("return 0").replace("fault_process:mine", "json:dumps")
    for arguments in (("mine",), ("mine", "--help")):
        done = call(code, *arguments)
        assert done.returncode == 2
        assert done.stderr == "error: command 'mine': json:dumps is not a click.Command\n"
    assert re.search("  mine +Does it.", call(code, "--help").stdout)
    assert "json:dumps is not a click.Command" in call(code, "plugins", "--check").stdout


METHOD = """
@hookimpl
def register_restorers():
    yield RestorerCard(name="mine", factory="fault_process:Mine", summary="s", tasks=("denoise",), {})

class Mine:
    def __init__(self, *, network, width: {} = 8, sampler=None):
        pass
"""
DEFAULTS = {
    'defaults={"networc": {"name": "mine"}}': "its defaults name 'networc'; the parts of a recipe are network, ",
    "": "its defaults name no network, which its factory asks for",
    'defaults={"network": {"name": "mien"}}': "no network is named 'mien'; did you mean 'mine'?",
    'defaults={"network": {"name": "mine", "options": {"wdith": 8}}}': "set network.wdith; 'mine' has no such option",
    'defaults={"network": {"name": "mine", "options": {"width": "8"}}}': "set network.*: option 'width' does not fit",
    'defaults={"network": {"name": "mine"}, "method": {"name": "mine", "options": {"width": 8}}}': "",
}
NETWORK = """
from restoration import NetworkCard, RestorerCard

@hookimpl
def register_networks():
    yield NetworkCard(name="mine", factory="fault_process:Mine", summary="s")
"""


@pytest.mark.parametrize("defaults", DEFAULTS)
def test_the_check_finds_defaults_that_no_training_could_begin_with(defaults: str, call: Call) -> None:
    done = call(NETWORK + METHOD.format(defaults, "int"), "plugins", "--check")
    assert DEFAULTS[defaults] in done.stdout
    assert done.returncode == (1 if DEFAULTS[defaults] else 0), done.stdout


@pytest.mark.parametrize(("kind", "why"), [("str", "does not fit"), ("'Tensor'", "Tensor, is not there at run time")])
def test_the_check_finds_options_of_a_wrong_type(kind: str, why: str, call: Call) -> None:
    done = call(NETWORK + METHOD.format('defaults={"network": {"name": "mine"}}', kind), "plugins", "--check")
    assert done.returncode == 1
    assert why in done.stdout and "'mine'" in done.stdout
