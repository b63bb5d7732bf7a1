"""Several processes on this machine for one piece of work: one of them speaks, and the first failure ends all."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import connection, get_context, parent_process
from typing import Any

from restoration.errors import RestorationError

Work = Callable[[Callable[[Any], None]], Any]
GRACE = 3.0
"""Seconds that are given to the other processes to say what is wrong, after the first failure."""


def launch(number: int, threads: int, work: Work, observe: Callable[[Any], None]) -> Any:
    """Run `work(observe)` in `number` new processes that find one another as those of `accelerate launch` do.

    Each has `threads`. What the first one observes is observed here, and what it returns is returned. None outlives
    this call, or this process. `work` must be picklable. Raises `RestorationError` with what the first to fail said.
    """
    context = get_context("spawn")  # type of start that every system has, and that leaves threads behind
    pipes: dict[connection.Connection, Any] = {}
    numbers = {"WORLD_SIZE": number, "LOCAL_WORLD_SIZE": number, "MASTER_PORT": free_port(), "OMP_NUM_THREADS": threads}
    places = {"MASTER_ADDR": "127.0.0.1", **{name: str(value) for name, value in numbers.items()}}
    try:
        with ignored(signal.SIGINT):  # Ctrl-C is for this process, which ends the others
            for rank in range(number):
                receive, send = context.Pipe(duplex=False)
                process = context.Process(target=_one, args=(rank, places, send, work), daemon=True)
                process.start()
                send.close()
                pipes[receive] = process
        result = _listen(pipes, observe)
        for process in pipes.values():
            process.join(GRACE)
        return result
    finally:
        for process in pipes.values():
            process.terminate()
        for process in pipes.values():
            process.join(GRACE)
            if process.is_alive():
                process.kill()
                process.join()


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def ignored(number: signal.Signals) -> Iterator[None]:
    """Ignore a signal for a while, in the main thread at least; processes started meanwhile ignore it for good."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)


def _listen(pipes: dict[connection.Connection, Any], observe: Callable[[Any], None]) -> Any:
    """Pass on what is observed until all processes are done, or one failed and the others had time to say why."""
    waiting, ranks = dict(pipes), {pipe: rank for rank, pipe in enumerate(pipes)}
    failures: list[tuple[bool, RestorationError]] = []
    result, until = None, float("inf")
    while waiting and time.monotonic() < until:
        ready = connection.wait(list(waiting), timeout=0.1 if failures else None)
        for pipe in (pipe for pipe in waiting.copy() if pipe in ready):
            kind, value = _message(pipe, waiting[pipe], f"process {ranks[pipe] + 1} of {len(pipes)}")
            if kind == "seen":
                observe(value)
                continue
            del waiting[pipe]
            if kind == "failed":
                failures.append(value)
                until = min(until, time.monotonic() + GRACE)
            elif ranks[pipe] == 0:
                result = value
    if failures:
        raise min(failures, key=lambda failure: failure[0])[1]
    return result


def _message(pipe: connection.Connection, process: Any, name: str) -> tuple[str, Any]:
    """Read what a process sent; where it was killed and could say nothing, say it for it."""
    try:
        kind, value = pickle.loads(pipe.recv_bytes())
    except (EOFError, OSError):
        process.join()
        code = process.exitcode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        hint = "; out of memory, perhaps" if code == -9 else ""
        return "failed", (False, RestorationError(f"{name} {how}{hint}; the same command goes on where it was"))
    if kind == "failed":
        follows, ours, text, where = value
        error = RestorationError(text if ours else f"{name} failed: {text}")
        error.add_note(where)
        return kind, (follows, error)
    return kind, value


def _one(rank: int, places: dict[str, str], send: connection.Connection, work: Work) -> None:
    """Be one of the processes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(places, RANK=str(rank), LOCAL_RANK=str(rank))

    def tell(kind: str, value: Any) -> None:
        send.send_bytes(pickle.dumps((kind, value)))  # whole: `send` would leave tensors in memory of this process

    try:
        result = work(partial(tell, "seen") if rank == 0 else lambda value: None)
        tell("done", result if rank == 0 else None)
    except Exception as error:
        ours = isinstance(error, RestorationError)
        first = (str(error).splitlines() or [""])[0]
        text = str(error) if ours else f"{type(error).__name__}: {first}"
        follows = getattr(error, "follows", False)  # from the failure of another, which should be told instead
        tell("failed", (follows, ours, text, traceback.format_exc()))
    send.close()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
