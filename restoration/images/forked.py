"""libvips in a process that was forked: it has no threads there, so a process of its own does its work.

What libvips computes is given to threads that wait for it. A child inherits the list of those that wait, but not the
threads, and would wait for them for ever. Nothing that libvips offers mends that, so a child asks a new Python instead.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from mmap import mmap
from pkgutil import resolve_name
from threading import Lock
from typing import IO, Any, ParamSpec, TypeVar

from restoration.errors import RestorationError
from restoration.images.remarks import remark, remarks
from restoration.processor import survive_forks

P = ParamSpec("P")
T = TypeVar("T")


class _State:
    """What this process knows: whether it `used` libvips, whether it is `stale`, and the process that serves it."""

    def __init__(self, *, stale: bool = False) -> None:
        self.used, self.stale, self.lock = False, stale, Lock()
        self.server: subprocess.Popen[bytes] | None = None


_state = _State()


def _forked() -> None:
    global _state
    _state = _State(stale=_state.used or _state.stale)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def survives_forks(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function of a module that uses libvips be called in processes that were forked after libvips was used.

    Its arguments and what it returns or raises are pickled there. What it remarks is remarked here.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        if _state.stale:
            with _state.lock:
                return _asked(f"{function.__module__}:{function.__name__}", args, kwargs)  # type: ignore[no-any-return]
        _state.used = True
        survive_forks()
        return function(*args, **kwargs)

    return call


def _asked(name: str, args: tuple[object, ...], kwargs: dict[str, object]) -> Any:
    """Let the process that serves this one call a function. Raises what that raises."""
    if _state.server is None:
        paths = os.pathsep.join(path for path in sys.path if path)
        _state.server = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,
        )
    server = _state.server
    assert server.stdin is not None and server.stdout is not None
    try:
        args = tuple(bytes(value) if isinstance(value, mmap) else value for value in args)
        pickle.dump((name, args, kwargs), server.stdin, pickle.HIGHEST_PROTOCOL)
        server.stdin.flush()
        answer, error, texts = pickle.load(server.stdout)
    except (OSError, EOFError, pickle.UnpicklingError):
        _state.server = None
        raise RestorationError(
            f"the process that reads and writes pictures ended (exit code {server.wait()}); this process was forked "
            "after a picture was read: start processes by 'spawn' or 'forkserver'"
        ) from None
    for text in texts:
        remark(text)
    if error is not None:
        raise error
    return answer


def serve() -> None:
    """Call functions as the parent asks for them on stdin, until that ends."""
    requests, answers = sys.stdin.buffer, _kept(sys.stdout.buffer)
    while True:
        try:
            name, args, kwargs = pickle.load(requests)
        except EOFError:
            return
        answer: object = None
        error: Exception | None = None
        with remarks() as texts:
            try:
                answer = _whole(resolve_name(name)(*args, **kwargs))
            except Exception as raised:
                error = raised
        pickle.dump((answer, error, texts), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


def _whole(answer: Any) -> Any:
    """Return what can be sent: pictures are decoded for it. Raises `BadPicture`."""
    from restoration.images.pictures import Pictures

    return answer.decoded() if isinstance(answer, Pictures) else answer


def _kept(stdout: IO[bytes]) -> IO[bytes]:
    """Return a stream to where stdout goes, and let stdout go to stderr: what others print is no answer."""
    answers = os.fdopen(os.dup(stdout.fileno()), "wb")
    os.dup2(2, stdout.fileno())
    return answers
