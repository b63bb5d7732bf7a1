"""Training in several processes of this machine: torch's launcher starts them, and one line says what went wrong."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from restoration.errors import RestorationError

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

OURS = "RESTORE_LAUNCHED"
"""Variable that is set where `launch` has started a process, and will tell its error."""
GRACE = 2.0
"""Seconds that a process waits before it speaks of an error that another one may know more about."""
USER_ERROR, PROGRAM_ERROR, LOST_PROCESS, INTERRUPTED = 2, 1, 3, 130
"""Exit codes of a process of several."""


def launch(number: int, threads: int, command: Sequence[str]) -> None:
    """Run a command of Python, such as `("-m", "restoration", "train")`, in `number` processes until all are done.

    Each has `threads`. Rank 0 writes to this terminal. None outlives this call. Raises `RestorationError` with what the
    first failure was.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in list(logging.root.manager.loggerDict):
        if name.startswith("torch.distributed.elastic"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what it says is for programmers
    os.environ.update({OURS: "1", "OMP_NUM_THREADS": str(threads)})
    with tempfile.TemporaryDirectory(prefix="restore-") as folder:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=number,
            run_id="restore",
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),  # where processes leave their errors
            signals_to_handle="SIGTERM,SIGHUP,SIGQUIT",  # Ctrl-C raises KeyboardInterrupt here, which ends them too
        )
        try:
            elastic_launch(config, sys.executable)(*command)
        except ChildFailedError as error:
            raise _first_failure(error.failures, number) from None
        except SignalException as error:
            raise RestorationError(f"ended by {error.sigval.name}; the same command goes on where it was") from None


def _first_failure(failures: dict[int, ProcessFailure], number: int) -> RestorationError:
    """Return the first failure in one line: an error that was raised, rather than a process that was ended."""

    def order(rank: int) -> tuple[bool, bool]:
        return not isinstance(failures[rank].message, dict), failures[rank].exitcode == LOST_PROCESS

    rank = min(failures, key=order)  # the first found is the first of equals
    failure, name = failures[rank], f"process {rank + 1} of {number}"
    again = "the same command goes on where it was"
    if isinstance(failure.message, dict):
        kind, _, text = str(failure.message["message"]).partition(": ")
        line = (text.splitlines() or [""])[0]
        error = RestorationError(
            line if failure.exitcode == USER_ERROR else f"{name} failed: {kind}: {line} (--debug shows where)"
        )
        error.add_note(failure.message["extraInfo"]["py_callstack"])
        return error
    if failure.exitcode < 0:
        hint = " (out of memory, perhaps)" if failure.signal_name() == "SIGKILL" else ""
        return RestorationError(f"{name} was ended by {failure.signal_name()}{hint}; {again}")
    return RestorationError(f"{name} ended with exit code {failure.exitcode}; {again}")


@contextmanager
def one_of_several(rank: int, world_size: int) -> Iterator[None]:
    """Be one of the processes of a launcher, if there are several: end with it, and let one alone say what is wrong.

    Where `launch` started this, the error is left to it. Another launcher ends the others when one fails: so rank 0
    speaks at once, and the rest only if they are still there after `GRACE`.
    """
    if world_size == 1:
        yield
        return
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    from restoration.training.parallel import LostProcess

    threading.Thread(target=_end_with_launcher, daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None
    except LostProcess:
        time.sleep(GRACE)
        if OURS not in os.environ:
            raise
        raise click.exceptions.Exit(LOST_PROCESS) from None
    except Exception as error:
        get_error_handler().record_exception(error)
        if OURS not in os.environ:
            time.sleep(GRACE if rank else 0)
            raise
        code = USER_ERROR if isinstance(error, RestorationError) else PROGRAM_ERROR
        raise click.exceptions.Exit(code) from None


def _end_with_launcher() -> None:
    launcher = os.getppid()
    while os.getppid() == launcher:
        time.sleep(0.5)
    os._exit(1)
