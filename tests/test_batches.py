"""Batches are the same whoever draws them, and what goes wrong in a worker is told in one line."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import forking
import psutil
import pytest
import torch
from forking import Process
from slowness import Slow
from small import picture
from torch import Tensor

from restoration.errors import BadPicture, RestorationError, UnknownName
from restoration.images import write
from restoration.images.folders import pairs_in
from restoration.tasks import make_task
from restoration.training.batches import Batches
from restoration.training.patches import Patches
from restoration.training.workers import Failure, Payload, interrupts_deferred, usual_workers

PLUGIN = '''"""A task of one file, that fails where it is told to."""
from restoration import TaskCard, hookimpl

@hookimpl
def register_tasks():
    yield TaskCard(name="shaded", factory="shading:Shade", summary="darkens")

class Shade:
    def __init__(self, *, fails: bool = False):
        self.fails = fails

    def __call__(self, x, rng):
        if self.fails and x.shape[-1] != 16:
            return x / 2
        if self.fails:
            raise ZeroDivisionError("nothing can be divided\\nby this")
        return x / 2
'''
TRAIN = ("train", "regression", "--network", "dncnn", "--set", "network.width=4", "--set", "network.depth=3")
QUICK = ("--device", "cpu", "--threads", "1", "--batch", "2", "--patch", "16", "--held-out", "1", "--log-every", "1")


def drawn(batches: Batches) -> list[tuple[Tensor, ...]]:
    return [(x, y, rng.normal(4), rng.integers(0, 9)) for x, y, rng in batches]


def equal(one: list[tuple[Tensor, ...]], other: list[tuple[Tensor, ...]]) -> bool:
    return len(one) == len(other) and all(all(map(torch.equal, a, b)) for a, b in zip(one, other, strict=True))


def gone(numbers: list[int], seconds: float = 30) -> bool:
    """Say whether processes end within some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        alive = [n for n in numbers if psutil.pid_exists(n) and psutil.Process(n).status() != psutil.STATUS_ZOMBIE]
        if not alive:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def patches(pictures: Path) -> Patches:
    return Patches(pairs_in(pictures), make_task("derain", {"kind": "mixed"}), size=24, cache=10**6)


def test_batches_are_the_same_for_any_number_of_workers(patches: Patches) -> None:
    torch.set_num_threads(2)
    try:
        alone, *others = (drawn(Batches(patches, batch=3, seed=5, steps=4, workers=workers)) for workers in (0, 1, 2))
    finally:
        torch.set_num_threads(1)
    assert all(equal(alone, other) for other in others)
    assert not equal(alone, drawn(Batches(patches, batch=3, seed=6, steps=4)))


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_have_the_rows_of_one(patches: Patches, world_size: int) -> None:
    whole = drawn(Batches(patches, batch=5, seed=5, steps=3))
    parts = [
        drawn(Batches(patches, batch=5, seed=5, steps=3, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    together = [tuple(map(torch.cat, zip(*step, strict=True))) for step in zip(*parts, strict=True)]
    assert equal(whole, together)


def test_a_training_that_goes_on_has_the_batches_that_are_left(patches: Patches) -> None:
    whole = drawn(Batches(patches, batch=2, seed=1, steps=6))
    assert equal(whole[4:], drawn(Batches(patches, batch=2, seed=1, steps=6, start_step=4)))


def test_drawing_leaves_the_generator_of_torch_and_its_threads_alone(patches: Patches) -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    drawn(Batches(patches, batch=2, seed=1, steps=2))
    assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == threads


def test_workers_end_with_the_batches_and_when_these_are_closed(pictures: Path, tmp_path: Path) -> None:
    patches = Patches(pairs_in(pictures), Slow(tmp_path), size=16)
    drawn(Batches(patches, batch=1, seed=0, steps=4, workers=2))
    with closing(iter(Batches(patches, batch=1, seed=0, steps=1000, workers=2))) as batches:
        for _ in range(2):  # one of each worker
            next(batches)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert len(workers) == 4 and os.getpid() not in workers
    assert gone(workers, 1)


def test_a_picture_that_is_damaged_is_named_by_a_worker_as_without_one(tmp_path: Path) -> None:
    write(picture(40, 48), tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:-400])
    patches = Patches(pairs_in(tmp_path), make_task("derain"), size=16)
    said = []
    for workers in (0, 1):
        with pytest.raises(BadPicture, match=r"b\.png is damaged and cannot be read whole") as caught:
            drawn(Batches(patches, batch=1, seed=0, steps=50, workers=workers))
        said.append(str(caught.value))
    assert said[0] == said[1] and "\n" not in said[0]


def test_a_worker_that_is_killed_is_missed_in_one_line(pictures: Path, tmp_path: Path) -> None:
    patches = Patches(pairs_in(pictures), Slow(tmp_path, 0.2), size=16)
    with closing(iter(Batches(patches, batch=1, seed=0, steps=1000, workers=1))) as batches:
        next(batches)
        os.kill(int(next(tmp_path.iterdir()).name), signal.SIGKILL)
        with pytest.raises(RestorationError, match=r"has ended, for want of memory unless .* fewer --workers$"):
            for _ in batches:
                pass


def test_errors_keep_their_kind_and_their_text_on_the_way() -> None:
    for error, kind, text in (
        (UnknownName("task", "derian", ["derain"]), UnknownName, "no task is named 'derian'; did you mean 'derain'?"),
        (BadPicture("a.png is empty"), BadPicture, "a.png is empty"),
        (
            KeyError("x\ny"),
            RestorationError,
            r"a batch cannot be drawn: KeyError: 'x\ny' (--workers 0 says whose fault it is)",
        ),
    ):
        try:
            raise error
        except Exception as caught:
            again = Failure.of(caught).error()
        assert type(again) is kind and str(again) == text
        assert "Traceback" in again.__notes__[0]


def test_what_cannot_be_handed_over_is_told(pictures: Path) -> None:
    patches = Patches(pairs_in(pictures), lambda x, rng: x, size=16)
    with pytest.raises(RestorationError, match=r"cannot be handed to workers .*; use --workers 0"):
        drawn(Batches(patches, batch=1, seed=0, steps=1, workers=1))
    assert Payload(patches).unpacked() is patches


def test_ctrl_c_waits_for_what_must_not_be_done_by_halves() -> None:
    done = []

    def press() -> None:
        with interrupts_deferred():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        press()
    assert done == [1]


def test_a_training_on_a_cpu_draws_itself_and_one_on_a_gpu_has_workers() -> None:
    assert usual_workers(torch.device("cpu")) == 0
    cores = len(os.sched_getaffinity(0))
    assert usual_workers(torch.device("cuda")) == max(1, min(16, cores - 1))
    assert usual_workers(torch.device("cuda"), 1000) == 1


@pytest.fixture
def start(pictures: Path, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start a training with a plugin of one file, as a process with a group of its own."""
    (tmp_path / "shading.py").write_text(PLUGIN, encoding="utf-8")
    started = []

    def run(*arguments: str) -> Process:
        command = ["-m", "restoration", "--plugin", tmp_path / "shading.py", *TRAIN, *QUICK, "--task", "shaded"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
        started.append(forking.start(*command, "--data", pictures, *arguments, env=environment, session=True))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.mark.slow
def test_a_task_of_one_file_works_in_workers_and_its_errors_are_one_line(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    how = ("--workers", "1", "--steps", "3")
    runs = [start(*how, "--out", str(tmp_path / fails), "--set", f"task.fails={fails}") for fails in ("false", "true")]
    said = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0, 2], said
    whose = "(--workers 0 says whose fault it is)"
    assert said[1][1] == f"error: a batch cannot be drawn: ZeroDivisionError: nothing can be divided {whose}\n"
    assert not list(tmp_path.glob("restoration-cache-*"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_training(start: Callable[..., Process], tmp_path: Path, number: signal.Signals) -> None:
    process = start("--workers", "2", "--steps", "100000", "--out", str(tmp_path / "out"))
    until = time.monotonic() + 200
    while not (tmp_path / "out" / "log.jsonl").exists() and time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    group = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    assert len(group) >= 4, "two workers, what they are copied from, and what watches over shared memory"
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does, to the whole group
    else:
        process.kill()
    _, said = process.communicate(timeout=300)
    assert gone(group)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert [line for line in said.splitlines() if line and "step " not in line] == ["interrupted"]
        assert not list(tmp_path.glob("restoration-cache-*"))
