"""A training that was killed goes on as if it had not been: the same bytes, the same log."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import forking
import pytest
import torch
from forking import Process
from small import picture

from restoration.errors import RestorationError
from restoration.images import write
from restoration.training import checkpoint
from restoration.training.records import CHECKPOINT, LOG, read_log
from restoration.weights import CONFIG, FILES, MODEL

STEPS = 100
TRAIN = (
    *("train", "ir-sde", "--task", "derain", "--network", "dropping", "--device", "cpu", "--threads", "1"),
    *("--steps", str(STEPS), "--batch", "3", "--patch", "16", "--lr", "0.01", "--precision", "fp32"),
    *("--validate-every", "40", "--checkpoint-every", "7", "--log-every", "3"),
)
PLUGIN = '''"""A network that drops out channels, from the generator of torch itself."""
from restoration import NetworkCard, hookimpl

@hookimpl
def register_networks():
    yield NetworkCard(name="dropping", factory="dropping:make", summary="drops out")

def make(*, channels: int = 3, in_channels: int = 3):
    from torch import nn

    layers = nn.Conv2d(in_channels, 8, 3, padding=1), nn.ReLU(), nn.Dropout(0.3), nn.Conv2d(8, channels, 3, padding=1)
    return nn.Sequential(*layers)
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, and a plugin of one file."""
    folder = tmp_path_factory.mktemp("resume")
    (folder / "pictures").mkdir()
    for seed in range(4):
        write(picture(40, 48, seed), folder / "pictures" / f"{seed}.png")
    (folder / "dropping.py").write_text(PLUGIN, encoding="utf-8")
    return folder


@pytest.fixture
def start(place: Path) -> Iterator[Callable[..., Process]]:
    """Start a training into a folder; what runs after the test is killed."""
    started = []

    def run(out: Path, *arguments: str, launcher: Sequence[str] = ()) -> Process:
        command = [*launcher, "-m", "restoration", "--plugin", place / "dropping.py", *TRAIN]
        command += ["--data", place / "pictures", "--out", out, *arguments]
        started.append(forking.start(*command, env={**os.environ, "OMP_NUM_THREADS": "1"}, session=True))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def reach(process: Process, out: Path, step: int) -> int:
    """Wait until the log has come to a step, and return where it is."""
    until = time.monotonic() + 200
    while time.monotonic() < until:
        steps = [line["step"] for line in read_log(out)]
        if steps and steps[-1] >= step:
            return steps[-1]
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    raise AssertionError(f"step {step} was not reached: {read_log(out)[-1:]}")


def finish(process: Process) -> None:
    said = process.communicate(timeout=300)
    assert process.returncode == 0, said


def facts(out: Path) -> list[dict[str, float]]:
    """The lines of the log, read strictly, without what the clock says."""
    lines = [json.loads(line) for line in (out / LOG).read_text(encoding="utf-8").splitlines()]
    return [{name: line[name] for name in line.keys() - {"seconds", "steps_per_second"}} for line in lines]


def unfinished(out: Path) -> int | None:
    """The step that the weights of a folder say they are from, None where there are none yet or they are done."""
    if not (out / CONFIG).exists():
        return None
    step = json.loads((out / CONFIG).read_text(encoding="utf-8"))["training"].get("unfinished")
    assert step is None or "Unfinished" in (out / "README.md").read_text(encoding="utf-8")
    return step


def same(out: Path, whole: Path) -> None:
    assert (out / MODEL).read_bytes() == (whole / MODEL).read_bytes()
    assert facts(out) == facts(whole)
    states = [checkpoint.load((folder / CHECKPOINT).read_bytes(), folder) for folder in (out, whole)]
    for state in states:
        state.pop("seconds")
    assert_equal(*states)
    assert not list(out.glob(".*.part"))
    for name in FILES:
        assert (out / name).exists()
    assert unfinished(out) is None


def assert_equal(one: object, other: object, where: str = "") -> None:
    """Compare states all the way down: the optimiser, both weights, every generator."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
    if isinstance(one, dict | list):
        pairs = one.items() if isinstance(one, dict) else enumerate(one)
        for key, value in pairs:
            assert_equal(value, other[key], f"{where}.{key}")
    else:
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other, where


@pytest.mark.slow
def test_a_training_killed_at_random_steps_ends_with_the_bytes_of_one_that_was_not(place, start):
    whole, killed = place / "whole", place / "killed"
    uninterrupted = start(whole)
    seed = random.randrange(10**6)
    draw, reached = random.Random(seed), []
    for workers in ("0", "2", "0"):
        process = start(killed, "--workers", workers)
        before = reached[-1] if reached else 0
        reach(process, killed, draw.randint(before + 1, before + STEPS // 4))
        time.sleep(draw.random() * 0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, seed
        reached.append(read_log(killed)[-1]["step"])
        assert reached[-1] < STEPS, seed
        assert unfinished(killed) in (None, *range(1, STEPS)), seed
    (killed / f".{CHECKPOINT}.0123abcd.part").write_bytes(b"written when the power went")
    with open(killed / LOG, "a", encoding="utf-8") as log:
        log.write('{"step": 1')
    finish(start(killed, "--workers", "1"))
    finish(uninterrupted)
    same(killed, whole)


def test_a_checkpoint_that_is_damaged_is_one_line(tmp_path):
    path = tmp_path / "new" / CHECKPOINT
    assert checkpoint.read(path) is None
    checkpoint.write({"step": 3, "rng": [checkpoint.rng_state(torch.device("cpu"))]}, path)
    data = checkpoint.read(path)
    assert checkpoint.load(data, path)["step"] == 3
    for wrong in (data[: len(data) // 2], b"", b"no checkpoint"):
        with pytest.raises(RestorationError, match=r"is damaged, .* delete it to begin again$"):
            checkpoint.load(wrong, path)


def test_what_dropout_draws_from_is_put_back():
    state = checkpoint.rng_state(torch.device("cpu"))
    drawn = torch.rand(5)
    checkpoint.set_rng_state(state, torch.device("cpu"))
    assert torch.equal(torch.rand(5), drawn)


@pytest.mark.slow
def test_two_processes_that_were_killed_end_as_those_of_two_machines_that_were_not(place, start):
    pytest.importorskip("accelerate")
    psutil = pytest.importorskip("psutil")
    port = free_port()
    machines = [start(place / f"machine{rank}", launcher=launcher(rank, port)) for rank in range(2)]
    said = [machine.communicate(timeout=300) for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    assert [answer for answer, _ in said] == [f"{place}/machine0\n", ""], "rank 0 speaks for all"
    assert f"step {STEPS} of {STEPS}" in said[0][1]
    assert "step" not in said[1][1]
    assert not (place / "machine1").exists()

    killed = place / "killed-of-two"
    process = start(killed, "--processes", "2")
    reach(process, killed, random.randint(8, STEPS // 2))
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 2
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == [], "processes do not outlive the one that started them"
    answer, words = start(killed, "--processes", "2").communicate(timeout=300)
    assert answer == f"{killed}\n", words
    assert words.count(f"step {STEPS} of {STEPS}") == 1, "rank 0 speaks for all"
    same(killed, place / "machine0")


def launcher(rank: int, port: int) -> list[str]:
    """Return what starts a command on one of two machines, each with a process."""
    words = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "2", "--num_processes", "2"]
    words += ["--main_process_ip", "127.0.0.1", "--main_process_port", str(port), "--machine_rank", str(rank)]
    return [*words, "--mixed_precision", "no", "--dynamo_backend", "no"]


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
