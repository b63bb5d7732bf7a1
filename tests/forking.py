"""Many command lines for the price of one: a process imports torch once, and every command is a copy of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@contextmanager
def commands() -> Iterator[Run]:
    """Give a function that runs `restore` with its arguments as a process, as the fixture `restore` does."""
    server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    questions, answers = server.stdin, server.stdout
    assert questions is not None and answers is not None

    def run(*arguments: object, cwd: object = ".") -> subprocess.CompletedProcess[str]:
        print(json.dumps([str(cwd), *map(str, arguments)]), file=questions, flush=True)
        code, out, errors = json.loads(answers.readline())
        return subprocess.CompletedProcess([*map(str, arguments)], code, out, errors)

    with server:
        yield run
        questions.close()


def serve() -> None:
    """Run a command for each line of stdin, `[folder, argument, ...]`; answer `[code, stdout, stderr]`."""
    import restoration.degradation
    import restoration.runtime

    assert restoration.runtime and restoration.degradation, "imported here, not in every copy"
    for line in sys.stdin:
        folder, *arguments = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            child = os.fork()
            if child == 0:
                call(folder, arguments, out.fileno(), errors.fileno())
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            told = [file.seek(0) or file.read().decode() for file in (out, errors)]
        print(json.dumps([code, *told]), flush=True)
    os._exit(0)  # taking torch apart takes long


def call(folder: str, arguments: list[str], out: int, errors: int) -> None:
    """Be the command: its own folder, stdin, stdout and stderr. It never returns."""
    from restoration.cli.main import main

    try:
        os.chdir(folder)
        for place, file in enumerate((os.open(os.devnull, os.O_RDONLY), out, errors)):
            os.dup2(file, place)
        main(arguments)
    finally:
        os._exit(70)


if __name__ == "__main__":
    serve()
