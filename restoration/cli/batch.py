"""Jobs in, outcomes out: what is done is printed, what fails is reported and stops nothing else, and all is counted."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from restoration.cli.faults import explained
from restoration.console import debugging, echo_json, echo_path, is_terminal, progress_wanted, say
from restoration.errors import RestorationError, plain
from restoration.images.parts import AlreadyThere
from restoration.images.remarks import about

if TYPE_CHECKING:
    from restoration.cli.plan import Job, Plan


class Batch:
    """The outcomes of the jobs of a plan; as a context manager it tells in the end how many were done and how many not.

    Answers go to stdout, one a picture: its path or, `as_json`, a line of JSON. Where stdout takes a picture itself
    they go to stderr. `code` is the exit code: 1 if something failed. With `skip_existing` a result that came into
    being meanwhile is skipped too. `word` says what the jobs are in the end.
    """

    def __init__(
        self, plan: Plan, *, as_json: bool, quiet: bool, skip_existing: bool = False, word: str = "done"
    ) -> None:
        self.plan, self.as_json, self.quiet, self.word = plan, as_json, quiet, word
        self.skip_existing, self.skipped = skip_existing, len(plan.skipped)
        self.total = len(plan.jobs)
        self.done = 0
        self.failures: list[str] = []
        self.beside_picture = any(job.target is None for job in plan.jobs)
        self._waits = progress_wanted(quiet) and is_terminal(sys.stdout)
        self._waiting: list[str | dict[str, Any]] = []
        self._troubles: list[str] = []

    @property
    def code(self) -> int:
        """The exit code."""
        return 1 if self.failures or self._troubles else 0

    def __enter__(self) -> Batch:
        for line in self.plan.notes if not self.quiet else []:
            say(line)
        for name, line in self.plan.refused:
            self.fail(name, line)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._waits = False
        self._print()
        failed, inputs = len(self.failures), self.total + len(self.plan.skipped) + len(self.plan.refused)
        if self.quiet or (inputs == 1 and not self.skipped):
            return
        if self.failures:
            say("\n".join(["these failed:", *(f"  {line}" for line in self.failures)]))
        left = inputs - self.done - self.skipped - failed
        say(f"{self.word} {self.done}, skipped {self.skipped}, failed {failed}" + (f", left {left}" if left else ""))

    @contextmanager
    def trying(self, job: Job) -> Iterator[None]:
        """Count a job as done, or as failed if it raises anything but what ends the whole process."""
        try:
            with about(plain(job.name)):
                yield
        except BrokenPipeError:
            raise
        except (Exception, SystemExit) as error:  # a plugin may raise anything
            if isinstance(error, AlreadyThere) and self.skip_existing:
                self.skipped += 1
                return
            if debugging():
                traceback.print_exception(error)
            line, name = explained(error), plain(job.name)
            self.fail(job.name, line if name in line else f"{name}: {line}")
        else:
            self.done += 1

    def check(self, job: Job) -> None:
        """Raise `AlreadyThere` for a result that there need not be another of: several processes may share the work."""
        if self.skip_existing and job.target is not None and os.path.lexists(job.target):
            raise AlreadyThere(f"{job.target} is already there")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Tell of an error in what is made beside the pictures; they themselves go on."""
        try:
            yield
        except RestorationError as error:
            self.trouble(explained(error))

    def fail(self, name: str, line: str) -> None:
        """Tell why an input failed."""
        self.failures.append(line)
        say(f"error: {line}")
        if self.as_json:
            self.answer({"input": name, "error": line})

    def trouble(self, line: str) -> None:
        """Tell, once, what goes wrong beside the pictures themselves."""
        if line not in self._troubles:
            self._troubles.append(line)
            say(f"error: {line}")

    def note(self, path: str) -> None:
        """Print the path of a file that was made beside the pictures: to stderr where stdout is for something else."""
        if self.as_json:
            say(path)
        else:
            self.answer(path)

    def answer(self, value: str | dict[str, Any]) -> None:
        """Print the path of a result, or facts; after the bar, where one is drawn on the same terminal."""
        self._waiting.append(value)
        self._print()

    def _print(self) -> None:
        while self._waiting and not self._waits:
            value = self._waiting.pop(0)
            try:
                if isinstance(value, dict):
                    echo_json(value, err=self.beside_picture)
                elif self.beside_picture:
                    say(value)
                else:
                    echo_path(value)
            except BrokenPipeError:
                raise
            except OSError as error:
                self.trouble(f"cannot write to stdout: {error.strerror}")
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or what is buffered fails once more
