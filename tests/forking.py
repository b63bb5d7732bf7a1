"""Many processes for the price of one: one of them imports torch, and every command or script is a copy of it."""

from __future__ import annotations

import array
import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from importlib import import_module
from subprocess import PIPE
from typing import IO, Any

IMPORTED = (
    *("restoration.runtime", "restoration.degradation", "packaging.requirements", "tomllib"),
    *(f"restoration.cli.commands.{name}" for name in ("run", "degrade", "score")),
)
"""What is imported once instead of in every copy; none of it starts threads or reads the environment when imported."""
LATER = {
    "weights": ("huggingface_hub.hf_api", "huggingface_hub.file_download"),
    "train": ("torch._dynamo", "restoration.training.loop", "restoration.cli.commands.train"),
    "together.py": ("torch._dynamo", "accelerate", "restoration.training.loop"),
    ".safetensors": ("restoration_spandrel.layout",),
}
"""What takes seconds more to import: before the first command with this in its words is copied, once for all."""
FORGOTTEN = {"weights": "huggingface_hub"}
"""What reads the environment when it is imported, so that copies import it anew; what it imports itself is kept."""
Run = Callable[..., "subprocess.CompletedProcess[Any]"]
AT_START = ("PYTHON", "LD_", "MALLOC_", "GLIBC_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "CUDA_")
"""Variables of the environment that begin so are read when a process starts or torch is imported, and never again."""
LITTLE_SPACE = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
"""
"""What a process begins with that is to find no room for a file of more than 2000 bytes."""
DELAY = 0.003
"""The seconds between two looks at whether a process has ended."""


@contextmanager
def commands() -> Iterator[Run]:
    """Give a function that runs `restore` with its arguments as a process; its keywords are those of `subprocess.run`.

    The process is a copy of one that has imported torch, with its own folder, environment, stdin, stdout and stderr;
    `first` is Python that it begins with. A command that a copy would not do justice to gets a new Python: one with
    other keywords than those of `python`, or with variables that are read at its start.
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
    stdout: Any = PIPE,
    stderr: Any = PIPE,
    first: str = "",
    **keywords: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run `-m` and a module, or a script, with arguments, as `commands` says. Raises `TimeoutExpired`, its end too."""
    words = [str(word) for word in arguments]
    if keywords or not can_copy(env):
        settings: dict[str, Any] = {"cwd": str(cwd), "env": env, "input": input, "text": text, "timeout": timeout}
        settings |= {"stdout": stdout, "stderr": stderr, **beginning(first), **keywords}
        return subprocess.run([sys.executable, *words], check=False, **settings)
    with ExitStack() as files:
        stdin, *told = (files.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        stdin.write(input.encode() if isinstance(input, str) else input or b"")
        stdin.seek(0)
        streams = [file if one == PIPE else one for one, file in zip((stdout, stderr), told, strict=True)]
        process = Copy(words, cwd, env, (stdin, *streams), first)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        for file in told:
            file.seek(0)
        answers = [file.read().decode() if text else file.read() for file in told]
    return subprocess.CompletedProcess(words, code, *answers)


def start(
    *arguments: object,
    cwd: object = ".",
    env: Mapping[str, str] | None = None,
    stdin: Any = subprocess.DEVNULL,
    stdout: Any = PIPE,
    stderr: Any = PIPE,
    session: bool = False,
) -> Process:
    """Start what `python` runs, and return at once; with `session` it leads one of its own, as for `os.killpg`."""
    words = [str(word) for word in arguments]
    if can_copy(env):
        return Copy(words, cwd, env, (stdin, stdout, stderr), "import os; os.setsid()" if session else "")
    streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
    command = [sys.executable, *words]
    return subprocess.Popen(command, cwd=str(cwd), env=env, start_new_session=session, text=True, **streams)


def can_copy(environment: Mapping[str, str] | None) -> bool:
    """Say whether a copy can have an environment: not with other variables than ours that are read at the start."""
    return environment is None or read_at_start(environment) == read_at_start(os.environ)


def read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that a copy cannot have of its own."""
    return {name: value for name, value in environment.items() if name.startswith(AT_START)}


def beginning(first: str) -> dict[str, Any]:
    """Return the keywords with which a new Python begins with some statements."""
    return {"preexec_fn": lambda: exec(first, {})} if first else {}


class Copy:
    """A process that is a copy, with what tests use of `subprocess.Popen`."""

    def __init__(
        self, words: list[str], cwd: object, env: Mapping[str, str] | None, streams: tuple[Any, ...], first: str
    ) -> None:
        self.words = words
        self.returncode: int | None = None
        ours: list[IO[str] | None] = [None, None, None]
        with ExitStack() as handed_over:
            theirs = []
            for number, stream in enumerate(streams):
                if stream == PIPE:
                    reading, stream = os.pipe()
                    ours[number] = open(reading, encoding="utf-8")  # noqa: SIM115
                    handed_over.callback(os.close, stream)
                elif stream == subprocess.DEVNULL:
                    stream = handed_over.enter_context(open(os.devnull, "r+b"))
                theirs.append(stream if isinstance(stream, int) else stream.fileno())
            order = [words, os.path.abspath(str(cwd)), dict(os.environ if env is None else env), first]
            self.pid = int(server()(order, theirs))
        _, self.stdout, self.stderr = ours

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, when it has. Raises `TimeoutExpired`."""
        if self.returncode is None:
            self.returncode = server()([self.pid, timeout], [])
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.words, timeout or 0)
        return self.returncode

    def poll(self) -> int | None:
        """Return how it ended, None if it has not."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return what it wrote, once it has ended. Raises `TimeoutError`."""
        with ThreadPoolExecutor(2) as threads:
            told = [threads.submit(stream.read) if stream else None for stream in (self.stdout, self.stderr)]
            out, errors = (one.result(timeout) if one else "" for one in told)
        for stream in filter(None, (self.stdout, self.stderr)):
            stream.close()
        self.wait(timeout)
        return out, errors

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


Process = subprocess.Popen[str] | Copy
"""What `start` starts."""


@cache
def server() -> Callable[[list[Any], list[int]], int | None]:
    """Start the process that is copied, which ends with this one; give a function that makes it follow an order."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()])
    theirs.close()
    atexit.register(end, process, os.getpid())
    answers = ours.makefile()

    def follow(order: list[Any], files: list[int]) -> int | None:
        handed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
        ours.sendmsg([b"!"], handed)
        ours.sendall(json.dumps(order).encode() + b"\n")
        answer: int | None = json.loads(answers.readline())
        return answer

    return follow


def end(process: subprocess.Popen[bytes], owner: int) -> None:
    """End the server, but not for a copy of the process that owns it."""
    if os.getpid() == owner:
        with process:
            process.kill()


def serve(line: socket.socket) -> None:
    """Follow orders: start a process and answer its number, or wait for one and answer its code, null if none yet."""
    for module in IMPORTED:
        import_module(module)
    gc.freeze()  # or the collector of each copy would write to, and so copy, most of this memory
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which end this
    orders = line.makefile()
    while files := received(line):
        order = json.loads(orders.readline())
        answer = wait(*order) if isinstance(order[0], int) else fork(line, *order, files[1:])
        line.sendall(json.dumps(answer).encode() + b"\n")
    os._exit(0)  # taking torch apart takes long


def received(line: socket.socket) -> list[int]:
    """Return what begins an order: a sign, and the files that are handed over with it; nothing when all is over."""
    sign, files, *_ = socket.recv_fds(line, 1, 3)
    return [*sign, *files]


def fork(
    line: socket.socket, words: list[str], folder: str, environment: dict[str, str], first: str, files: list[int]
) -> int:
    """Start a process, and return its number."""
    for part in [part for part in LATER if part in " ".join(words)]:
        for module in LATER.pop(part):
            import_module(module)
        forget(FORGOTTEN.get(part))
    child = os.fork()
    if child == 0:
        line.close()
        call(words, folder, environment, first, files)
    for file in files:
        os.close(file)
    return child


def forget(package: str | None) -> None:
    """Let a package be imported anew by who needs it next; None is no package."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


def wait(child: int, seconds: float | None) -> int | None:
    """Return the exit code of a process, as `subprocess` counts; None if it has not ended after some seconds."""
    until = float("inf") if seconds is None else time.monotonic() + seconds
    while True:
        number, status = os.waitpid(child, os.WNOHANG)
        if number:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            return None
        time.sleep(DELAY)


def call(words: list[str], folder: str, environment: dict[str, str], first: str, files: list[int]) -> None:
    """Be `python` with these words. It never returns."""
    import runpy
    import traceback

    code: object = 1
    try:
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        exec(first, {})
        sys.stdin, sys.stdout, sys.stderr = opened(0, "r"), opened(1, "w"), opened(2, "w")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None  # it is asked of the environment
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
        with suppress(AttributeError, OSError, ValueError):
            sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def opened(number: int, mode: str) -> Any:
    """Return a standard stream, None where the caller has closed it, as Python does."""
    try:
        return open(number, mode, buffering=1 if number == 2 else -1)
    except OSError:
        return None


if __name__ == "__main__":
    with closing(socket.socket(fileno=int(sys.argv[1]))) as ours:
        serve(ours)
