"""Many processes for the price of one: one of them imports torch, and every command or script is a copy of it."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

IMPORTED = (
    *("restoration.runtime", "restoration.degradation", "packaging.requirements", "tomllib"),
    *(f"restoration.cli.commands.{name}" for name in ("run", "degrade", "score")),
)
"""What is imported once instead of in every copy; none of it starts threads or reads the environment when imported."""
OPTIMISERS = "torch._dynamo"
"""What the optimisers of torch import, in seconds: before the first command is copied that trains, once for all."""
Run = Callable[..., "subprocess.CompletedProcess[Any]"]
AT_START = ("PYTHON", "LD_", "MALLOC_", "GLIBC_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "CUDA_")
"""Variables of the environment that begin so are read when a process starts or torch is imported, and never again."""


@contextmanager
def commands() -> Iterator[Run]:
    """Give a function that runs `restore` with its arguments as a process; its keywords are those of `subprocess.run`.

    The process is a copy of one that has imported torch, with its own folder, environment, stdin, stdout and stderr.
    A command that a copy would not do justice to gets a new Python: one with other keywords than `cwd`, `env`,
    `input`, `text` and `timeout`, or with variables that are read at its start.
    """
    yield restore


def restore(*arguments: object, **keywords: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command as `commands` says."""
    return python("-m", "restoration", *arguments, **keywords)


def python(
    *arguments: object,
    cwd: object = ".",
    env: Mapping[str, str] | None = None,
    input: str | bytes | None = None,
    text: bool = True,
    timeout: float = 300,
    **keywords: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run `-m` and a module, or a script, with arguments, as `commands` says. Raises `TimeoutExpired`, its end too."""
    words, environment = [str(word) for word in arguments], dict(os.environ if env is None else env)
    if keywords or read_at_start(environment) != read_at_start(os.environ):
        settings: dict[str, Any] = {"cwd": str(cwd), "env": environment, "input": input, "text": text, **keywords}
        command = [sys.executable, *words]
        return subprocess.run(command, check=False, **{"capture_output": True, "timeout": timeout, **settings})
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place, name) for name in ("in", "out", "errors")]
        files[0].write_bytes(input.encode() if isinstance(input, str) else input or b"")
        order = [words, os.path.abspath(str(cwd)), environment, timeout, *map(str, files)]
        code = server()(order)
        told = [file.read_text("utf-8") if text else file.read_bytes() for file in files[1:]]
    if code is None:
        raise subprocess.TimeoutExpired(words, timeout, *told)
    return subprocess.CompletedProcess(words, code, *told)


def read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that a copy cannot have of its own."""
    return {name: value for name, value in environment.items() if name.startswith(AT_START)}


@cache
def server() -> Callable[[list[Any]], int | None]:
    """Start the process that is copied, which ends with this one; give a function that makes it follow an order."""
    process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(end, process, os.getpid())
    questions, answers = process.stdin, process.stdout
    assert questions is not None and answers is not None

    def follow(order: list[Any]) -> int | None:
        print(json.dumps(order), file=questions, flush=True)
        code: int | None = json.loads(answers.readline())
        return code

    return follow


def end(process: subprocess.Popen[str], owner: int) -> None:
    """End the server, but not for a copy of the process that owns it."""
    if os.getpid() == owner:
        with process:
            process.kill()


def serve() -> None:
    """Follow orders, each a line of stdin: answer the exit code, or null where the time was over."""
    for module in IMPORTED:
        import_module(module)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which end this
    for line in sys.stdin:
        *order, timeout, stdin, out, errors = json.loads(line)
        if "train" in " ".join(order[0]):
            import_module(OPTIMISERS)
        child = os.fork()
        if child == 0:
            call(*order, stdin, out, errors)
        print(json.dumps(wait(child, timeout)), flush=True)
    os._exit(0)  # taking torch apart takes long


def wait(child: int, seconds: float) -> int | None:
    """Return the exit code of a process, as `subprocess` counts; None if it had to be ended after some seconds."""
    late = []

    def end(*_: object) -> None:
        late.append(child)
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.setitimer(signal.ITIMER_REAL, 0)
    return None if late else code


def call(words: list[str], folder: str, environment: dict[str, str], *files: str) -> None:
    """Be `python` with these words. It never returns."""
    import runpy
    import traceback

    code: object = 1
    try:
        for place, (file, how) in enumerate(zip(files, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)):
            os.dup2(os.open(file, how | os.O_CREAT), place)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
        for number in (signal.SIGINT, signal.SIGALRM):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        if words[0] == "-m":
            sys.argv, sys.path[0] = words[1:], folder
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path[0] = words, os.path.dirname(words[0])
            runpy.run_path(words[0], run_name="__main__")
        code = 0
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    serve()
